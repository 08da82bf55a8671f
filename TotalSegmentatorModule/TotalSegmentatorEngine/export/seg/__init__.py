"""Writes and reads DICOM SEG."""
