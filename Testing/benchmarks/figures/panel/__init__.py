"""What Slicer and its user notice of a job: one file a figure."""
