"""The comparison of many pairs of segmentations: what is compared, what came of it, and how it is written."""
