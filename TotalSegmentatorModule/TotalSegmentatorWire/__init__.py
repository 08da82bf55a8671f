"""What both sides of the wire agree on: messages, errors, job folders and data tables.

Imported by the Slicer side (TotalSegmentatorModuleLib) and by the worker side (TotalSegmentatorEngine). It imports
nothing but Python's standard library, so that it is as cheap in Slicer as in the worker.
"""

ALGORITHM_NAME = "TotalSegmentatorModule"
"""Who made a segment: SegmentAlgorithmName of DICOM SEG, which an automatic segment must have."""

ENGINE_VERSION = "0.1.0"
"""Version of the product; goes into every result's tags. The same as in pyproject.toml (a test compares them)."""
