"""Whether a worker sees the folders that this computer sees: they must be shared, at the same paths."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from TotalSegmentatorWire.messages.model_request import ModelRequest
from TotalSegmentatorWire.tables.catalogue import read_catalogue

from TotalSegmentatorEngine.batch.inputs.case import Case
from TotalSegmentatorEngine.batch.running.case_task import CaseTask
from TotalSegmentatorEngine.pipeline.prepare import prepare

LARGEST_FOLDERS = 20
"""Folders of CTs that each worker looks for: a sample."""


@dataclass(frozen=True)
class SharedPlace:
    """The path is shown in no message; it may hold a patient's name."""

    option: str
    """Which words of the command line led there."""
    path: Path
    size: int | None = None
    """In bytes; None where it does not matter."""

    def is_here(self) -> bool:
        try:
            return self.size in (None, self.path.stat().st_size)
        except OSError:
            return False


def missing(places: Iterable[SharedPlace]) -> str | None:
    """Which option names what is not here; None where all is. Run on a worker."""
    return next((place.option for place in places if not place.is_here()), None)


def shared_places(mark: Path, task: CaseTask, cases: Iterable[Case]) -> tuple[SharedPlace, ...]:
    """What a worker must find. ``mark`` is that of the run, see run_mark.py; all paths are absolute.

    Raises SegmentationError: what ``prepare`` raises.
    """
    prepared = prepare(task.task)
    files = dict.fromkeys(stamp for folder in prepared.all_folders for stamp in folder.stamps())
    by_folder = {case.path.parent: case.path for case in cases}
    template = task.export_options.get("template")
    return (
        SharedPlace("--output", mark.absolute()),
        *(SharedPlace("--models-folder", Path(name), size) for name, _, size in files),
        *(SharedPlace("INPUT", path) for path in list(by_folder.values())[:LARGEST_FOLDERS]),
        *([SharedPlace("--template", Path(template))] if template and Path(template).is_file() else []),
    )


# -- the same paths wherever a worker was started ----------------------------------------------------------------------


def absolute_case(case: Case) -> Case:
    return dataclasses.replace(case, path=case.path.absolute())


def absolute_task(task: CaseTask) -> CaseTask:
    """Its model, models folder and template."""
    segmentation = dataclasses.replace(
        task.task,
        requests=tuple(map(_absolute_request, task.task.requests)),
        models_folder=task.task.models_folder.absolute(),
    )
    options = dict(task.export_options)
    if options.get("template") and Path(options["template"]).is_file():
        options["template"] = str(Path(options["template"]).absolute())
    return dataclasses.replace(task, task=segmentation, export_options=options)


def _absolute_request(request: ModelRequest) -> ModelRequest:
    if request.model in read_catalogue():
        return request
    return dataclasses.replace(request, model=str(Path(request.model).absolute()))
