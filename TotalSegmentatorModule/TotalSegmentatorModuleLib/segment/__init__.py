"""Runs a segmentation in the worker process, from Apply to the imported result."""
