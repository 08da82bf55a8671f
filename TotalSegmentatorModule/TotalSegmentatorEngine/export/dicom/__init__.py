"""What all DICOM objects share: the CT series that they refer to, patient and study, text, dates and identifiers."""
