"""Where the structures to export come from: files, or a segmentation handed over by Slicer."""
