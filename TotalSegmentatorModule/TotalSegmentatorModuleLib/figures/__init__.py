"""What the review shows of a whole segmentation: its surfaces, and volumes and CT numbers as table, chart and file."""
