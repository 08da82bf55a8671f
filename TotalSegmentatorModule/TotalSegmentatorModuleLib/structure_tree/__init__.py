"""What to segment: the presets, and the structures by region and system with a box each."""
