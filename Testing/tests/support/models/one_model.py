"""Tasks and results of one model, whose structures lie in one layer."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from TotalSegmentatorEngine.job.task import PreparedTask, SegmentationResult, SegmentationTask
from TotalSegmentatorWire.messages.model_request import model_request
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.segment import FoundStructure
from TotalSegmentatorWire.tables.structures import Structure


def model_task(
    model: str,
    models_folder: Path,
    structures: Iterable[str] | None = None,
    device: str = "auto",
    options: JobOptions | None = None,
    is_reviewed: bool = False,
) -> SegmentationTask:
    request = model_request(model, structures)
    return SegmentationTask((request,), models_folder, device, options or JobOptions(), is_reviewed)


def model_result(
    labels: np.ndarray,
    structures: list[Structure],
    found: Iterable[FoundStructure],
    absent: list[str],
    model: str = "fake",
    profile: str = "nnunet",
    **fields,
) -> SegmentationResult:
    """``labels``: uint8 (k, j, i); ``fields``: of SegmentationResult."""
    tagged = [dataclasses.replace(each, model=model) for each in found]
    how = {"device": "cpu", "seconds": 1.0, **fields}
    return SegmentationResult([labels], structures, tagged, absent, [model], {model: profile}, **how)


def with_changes(prepared: PreparedTask, **changes) -> PreparedTask:
    """A task of one model, of whose PreparedModel some fields are different."""
    (only,) = prepared.models
    return dataclasses.replace(prepared, models=[dataclasses.replace(only, **changes)])
