"""Compares two segmentations structure by structure."""
