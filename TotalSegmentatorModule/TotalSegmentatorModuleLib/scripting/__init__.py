"""What scripts in Slicer call: segmentation and export without a click."""
