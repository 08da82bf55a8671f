"""DICOM structured reports of what was measured in structures: written by highdicom, on a DICOM SEG of them."""
