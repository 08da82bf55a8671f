"""What can be chosen: presets, the anatomy in which people look for structures, and the models that find a choice."""
