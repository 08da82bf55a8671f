"""Segments the cases, one after the other, and writes what came of each."""
