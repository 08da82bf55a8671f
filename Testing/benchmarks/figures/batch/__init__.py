"""Figures of the command ``batch``."""
