"""The messages between the two sides."""
