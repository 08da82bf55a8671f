"""What the worker does before its first job. Nothing is imported before it is needed."""

from __future__ import annotations

import importlib.util

PACKAGES = ("numpy", "scipy", "torch", "nnunetv2", "SimpleITK", "nibabel", "pydicom")
"""Import names of the packages that the engine itself calls; what these import in turn shows when they are imported."""


def missing_package() -> str | None:
    """The first package that is not installed, None when all are. Nothing is imported: a few milliseconds."""
    return next((name for name in PACKAGES if importlib.util.find_spec(name) is None), None)


def warm_up() -> None:
    """Imports what takes seconds, torch above all, while Slicer is still sending the CT.

    Raises SegmentationError("ENGINE_MISSING"), ImportError or whatever a broken library raises.
    """
    from TotalSegmentatorEngine.pipeline.run_job import load_engine
    from TotalSegmentatorEngine.worker import job_files  # noqa: F401

    load_engine()
