"""The Slicer side: panel, job control, import. It never imports torch, nnunetv2, SimpleITK or pydicom."""
