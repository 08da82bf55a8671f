"""The node's folder, and files that a power cut does not spoil."""
