"""What the rules know: the structures of a segmentation, measured, and thresholds."""
