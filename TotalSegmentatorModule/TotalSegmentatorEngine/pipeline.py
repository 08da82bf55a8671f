"""The whole job, from a volume to its labels; the command line and the worker call these functions."""

from __future__ import annotations

from .task import PreparedTask, SegmentationResult, SegmentationTask

__all__ = ["PreparedTask", "SegmentationResult", "SegmentationTask"]
