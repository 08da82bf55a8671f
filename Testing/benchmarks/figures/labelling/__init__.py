"""Figures of the labels: how they are made, and whether they are the published ones."""
