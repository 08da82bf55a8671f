"""The vertebrae in the order in which they lie, and the ribs that begin at them."""
