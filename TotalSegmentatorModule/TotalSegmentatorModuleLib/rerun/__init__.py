"""Some structures of a segmentation under review are computed again."""
