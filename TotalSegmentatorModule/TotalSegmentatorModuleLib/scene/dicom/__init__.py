"""Slicer's DICOM database: opened, watched, asked for the files of a CT and for its structure sets."""
