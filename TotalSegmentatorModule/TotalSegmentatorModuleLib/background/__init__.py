"""Starts and follows processes beside Slicer."""
