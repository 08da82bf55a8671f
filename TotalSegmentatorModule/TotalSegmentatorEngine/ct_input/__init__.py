"""The CT of a job, from a file, a DICOM folder or Slicer, with all checks. Without torch."""
