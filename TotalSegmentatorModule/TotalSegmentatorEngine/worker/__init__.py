"""The resident process that serves Slicer."""
