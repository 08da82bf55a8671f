"""The functions that a worker's job consists of, and what they keep from one job to the next."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.options import options_from_json
from TotalSegmentatorWire.messages.segment import CtHeader, SegmentRequest

from TotalSegmentatorEngine.job.reporting import JobReporter, Reporter
from TotalSegmentatorEngine.job.task import PreparedTask, SegmentationResult, SegmentationTask

if TYPE_CHECKING:
    from TotalSegmentatorEngine.imaging.reading import ReadInput
    from TotalSegmentatorEngine.pipeline.segment import EngineCache

PACKAGES = ("numpy", "scipy", "torch", "nnunetv2", "SimpleITK", "nibabel", "pydicom")
"""Import names of the packages that the engine itself calls; what these import in turn shows when they are imported."""


class WorkerSteps:
    """The engine as the worker calls it. Nothing is imported before it is needed.

    It keeps the last CT (volume and warnings) and the engine's cache of networks and resampled images.
    """

    def __init__(self) -> None:
        self._ct_id: str | None = None
        self._input: ReadInput | None = None
        self._cache: EngineCache | None = None

    def missing_package(self) -> str | None:
        """The first package that is not installed, None when all are. Nothing is imported: a few milliseconds."""
        return next((name for name in PACKAGES if importlib.util.find_spec(name) is None), None)

    def warm_up(self) -> None:
        """Import what takes seconds, torch above all, while Slicer is still sending the CT.

        Raises SegmentationError("ENGINE_MISSING"), ImportError or whatever a broken library raises.
        """
        from TotalSegmentatorEngine.pipeline import segment as pipeline
        from TotalSegmentatorEngine.worker import result_files  # noqa: F401

        pipeline.load_engine()

    def reporter(self, job_id: str, emit: Callable[[Any], None], is_cancelled: Callable[[], bool]) -> Reporter:
        return JobReporter(job_id, emit, is_cancelled)

    def prepare(self, request: SegmentRequest) -> PreparedTask:
        """Check model and names, and begin to read the weights. Raises SegmentationError."""
        from TotalSegmentatorEngine.pipeline.segment import EngineCache, prepare, read_ahead

        task = SegmentationTask(
            request.model,
            Path(request.models_folder),
            request.structures,
            request.device,
            options_from_json(request.options),
        )
        prepared = prepare(task)
        self._cache = self._cache or EngineCache()
        read_ahead(prepared, self._cache)
        return prepared

    def holds(self, ct_id: str) -> bool:
        """Whether this is the CT that was read last."""
        return ct_id == self._ct_id

    def read(self, job_folder: Path, header: CtHeader) -> None:
        """Read and check the CT in the job's folder and keep it in place of the last one. Raises SegmentationError."""
        from TotalSegmentatorEngine.imaging.reading import read_transferred

        self._ct_id = self._input = None  # the memory of the last CT is free before the next one is read
        self._cache.forget_ct()
        ct = read_transferred(job_folder, header)
        self._cache.remember_ct(header.ct_id, ct.volume)
        self._ct_id, self._input = header.ct_id, ct

    def ct_warnings(self) -> list[Problem]:
        """What is unusual about the CT, told again with every job on it."""
        return list(self._input.warnings)

    def segment(self, prepared: PreparedTask, reporter: Reporter) -> SegmentationResult:
        """Segment the CT that was read last. Raises SegmentationError."""
        from TotalSegmentatorEngine.pipeline.segment import segment

        return segment(self._input.volume, prepared, self._cache, reporter)
