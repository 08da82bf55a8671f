"""Reads and changes what is in Slicer's scene."""
