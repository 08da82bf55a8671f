"""The table of the structures under review: its rows, their words and pictures, groups and filters."""
