"""The engine's Python packages."""
