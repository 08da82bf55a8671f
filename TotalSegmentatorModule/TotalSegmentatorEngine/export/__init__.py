"""Out to radiotherapy planning and to the archive, and back: structure sets, DICOM SEG, images, surfaces, tables.

Runs in the background process with the engine's packages, without torch; never imports Slicer.
"""
