"""Voxel counts, volumes and CT numbers of structures, for everything that shows or writes them."""
