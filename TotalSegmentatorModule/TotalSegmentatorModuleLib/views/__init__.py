"""Turns Slicer's views to places and structures."""
