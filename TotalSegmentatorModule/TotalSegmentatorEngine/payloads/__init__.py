"""The voxels inside image files: where they lie, and that they are whole."""
