"""What is done to the segments of a segmentation, each as one action that can be taken back."""
