"""Data tables: structures, models, tags."""
