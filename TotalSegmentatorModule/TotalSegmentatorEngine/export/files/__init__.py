"""Label images with their table, and tables of volumes."""
