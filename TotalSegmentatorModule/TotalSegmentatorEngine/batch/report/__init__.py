"""The page over all CTs of a batch, and the small pictures in it."""
