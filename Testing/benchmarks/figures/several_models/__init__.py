"""Jobs of several models."""
