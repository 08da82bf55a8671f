"""The output folder: what is done, by whom, and which input it belongs to."""
