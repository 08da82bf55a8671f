"""Estimates, from a few tiles that are computed exactly, how well approximate labels agree with the exact ones."""
