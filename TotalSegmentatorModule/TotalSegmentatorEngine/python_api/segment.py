"""One segmentation in plain Python, in this process."""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.choice.model_selection import FINE
from TotalSegmentatorWire.choice.structure_choice import StructureChoice
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.model_request import ModelRequest, model_request
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.segment import ProgressEvent, Stage, WarningEvent
from TotalSegmentatorWire.user_folders import default_models_folder

from TotalSegmentatorEngine.ct_input.reading import ReadInput, read_input
from TotalSegmentatorEngine.job.reporting import JobReporter, Reporter
from TotalSegmentatorEngine.job.task import SegmentationResult, SegmentationTask
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.run_job import run_job
from TotalSegmentatorEngine.python_api.result import Segmentation
from TotalSegmentatorEngine.series_selection.series_choice import SeriesChoice

_JOB_ID = "python"


class SegmentationWarning(UserWarning):
    """Something that the user should know about a job that goes on; ``problem`` has its code and values."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)  # its arguments, by which another process makes it again
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.problem.what} {self.problem.todo}"


def segment(
    ct: str | os.PathLike[str],
    *,
    preset: str | os.PathLike[str] = "",
    structures: Iterable[str] = (),
    model: str | os.PathLike[str] | None = None,
    quality: str = FINE,
    prefer: str | None = None,
    models_folder: str | os.PathLike[str] | None = None,
    series: str | None = None,
    device: str = "auto",
    review: bool = False,
    on_progress: Callable[[float, str, float | None], None] | None = None,
    is_cancelled: Callable[[], bool] = lambda: False,
    **options: Any,
) -> Segmentation:
    """Segment one CT, wait, and return the structures on exactly its grid.

    Parameters
    ----------
    ct
        NIfTI, NRRD, MHA or MHD file, DICOM folder, or one file of a DICOM series.
    preset
        Id of a preset ("rt-thorax") or the path of a preset's file.
    structures
        Names, by the models' own or by TG-263; with ``preset`` these as well, with ``model`` only these of it.
    model
        Id in the catalogue ("117-3mm") or the path of an nnU-Net v2 model folder, in place of ``preset``, ``quality``
        and ``prefer``.
    quality
        "fine" (1.5 mm or finer) or "fast" (3 mm where a model has it).
    prefer
        Family of models, such as "117", for what several families find.
    models_folder
        Folder of installed models; None for the user's own.
    series
        Row or Series Instance UID, where the folder holds several CTs.
    device
        "auto", "cpu", "cuda", "cuda:N" or "mps".
    review
        Whether the result says what is likely wrong in it (``flags``).
    on_progress
        Called with the fraction of the job (0..1), the stage, and the seconds that are left, None if not known.
    is_cancelled
        Asked between tiles; True ends the job with SegmentationError("CANCELLED").
    options
        Fields of JobOptions: runtime, precision, crop, profile, smooth, largest_piece, smallest_island_mm3,
        second_opinion, self_check, least_agreement, accept_size.

    Raises
    ------
    SegmentationError
        With a stable ``code``: what the command ``segment`` ends with. Nothing is installed; CHOICE_MODELS_MISSING and
        MODEL_MISSING say what is not there.
    TypeError, ValueError
        For an option or a value that does not exist, for ``model`` beside a preset, and where nothing was chosen.
    """
    names = (structures,) if isinstance(structures, str) else tuple(structures)
    folder = Path(models_folder) if models_folder is not None else default_models_folder()
    path = Path(ct)
    if not path.exists():
        raise SegmentationError("INPUT_NOT_FOUND")
    choice = StructureChoice(os.fspath(preset), names, quality, prefer)
    job_options = JobOptions(**options)
    task = SegmentationTask(
        requests=_requests(choice, model, folder),
        models_folder=folder,
        device=device,
        options=job_options,
        is_reviewed=review,
    )
    files = _Files(path, SeriesChoice(series))
    reporter = JobReporter(_JOB_ID, lambda event: _tell(event, on_progress), is_cancelled)
    result = run_job(task, files, EngineCache(serves_one_job=True), reporter)
    return Segmentation(result, files.ct, path, files.choice, choice)


def _requests(
    choice: StructureChoice, model: str | os.PathLike[str] | None, models_folder: Path
) -> tuple[ModelRequest, ...]:
    if model is not None:
        if dataclasses.replace(choice, structures=()) != StructureChoice():
            raise ValueError("give either a model, or a preset, quality and family")
        return (model_request(os.fspath(model), choice.structures or None),)
    if not choice.preset and not choice.structures:
        raise ValueError("give a preset, structures or a model")
    return choice.requests(models_folder)


def _tell(event: Any, on_progress: Callable[[float, str, float | None], None] | None) -> None:
    if isinstance(event, WarningEvent):
        problem = Problem(event.problem["code"], event.problem["values"])
        warnings.warn(SegmentationWarning(problem), stacklevel=2)
    elif isinstance(event, ProgressEvent) and on_progress is not None:
        on_progress(event.fraction, event.stage, event.seconds_left)


@dataclass
class _Files:
    """Fulfils run_job.JobFiles; the result stays in memory."""

    path: Path
    choice: SeriesChoice
    ct: ReadInput | None = None

    def read(self, reporter: Reporter) -> ReadInput:
        reporter.progress(Stage.READING, 0.0)
        self.ct = read_input(self.path, self.choice)
        reporter.progress(Stage.CHECKING, 1.0)
        return self.ct

    def write(self, result: SegmentationResult, ct: ReadInput, reporter: Reporter) -> None:
        reporter.progress(Stage.WRITING, 1.0)
