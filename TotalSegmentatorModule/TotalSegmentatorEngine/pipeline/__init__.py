"""The segmentation of a CT from its file to its labels."""
