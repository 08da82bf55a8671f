"""The listening side of DICOM: who may connect, and how much of what."""
