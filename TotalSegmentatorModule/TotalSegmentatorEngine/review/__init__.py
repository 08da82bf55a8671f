"""What is likely wrong in a segmentation: rules that flag structures. Without torch."""
