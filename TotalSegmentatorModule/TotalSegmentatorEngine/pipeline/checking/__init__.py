"""Computes a few tiles of an approximate job exactly, to say how well its labels agree with the exact ones."""
