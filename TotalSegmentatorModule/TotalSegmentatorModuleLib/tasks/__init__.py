"""Background tasks on a segmentation, such as an export or a comparison."""
