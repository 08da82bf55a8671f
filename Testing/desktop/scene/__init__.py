"""The MRML scene, what is loaded into it, and the DICOM database."""
