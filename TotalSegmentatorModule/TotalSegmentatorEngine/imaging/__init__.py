"""Reads and writes images, and knows their geometry. Without torch."""
