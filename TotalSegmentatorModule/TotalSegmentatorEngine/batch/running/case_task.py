"""What is to be done with every CT of a run, and the digest by which a later run knows whether it was the same."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from TotalSegmentatorWire import ENGINE_VERSION
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.options import JobOptions

from TotalSegmentatorEngine.batch.store.batch_folder import EXPORTS
from TotalSegmentatorEngine.job.task import SegmentationTask
from TotalSegmentatorEngine.models.model_folder import ModelFolder
from TotalSegmentatorEngine.pipeline.prepare import prepare

_PACKAGES = ("torch", "nnunetv2", "openvino", "numpy", "SimpleITK")
_BLOCK_BYTES = 1 << 20
_FIRST_OPTIONS = frozenset(
    ("runtime", "precision", "crop", "profile", "smooth", "largest_piece", "smallest_island_mm3", "second_opinion",
     "accept_size")
)  # fmt: skip
"""Of JobOptions, in the first version that kept digests."""
_WARN_ONLY = ("least_agreement",)
"""Options by which a job only warns."""


@dataclass(frozen=True)
class CaseTask:
    """Fit to be sent to another process: all that it needs beside the case."""

    task: SegmentationTask
    """Reviewed, so that a result comes with its flags."""
    exports: tuple[str, ...] = ()
    """Of EXPORTS."""
    export_options: dict[str, Any] = field(default_factory=dict)
    """Fields of an ExportOrder beside format and output."""
    options_digest: str = ""
    model_digest: str = ""
    versions: dict[str, str] = field(default_factory=dict)


def make_case_task(
    task: SegmentationTask, exports: Iterable[str] = (), export_options: dict[str, Any] | None = None
) -> CaseTask:
    """Checks the task and reads the model's files once, for their digest.

    ``task`` is reviewed whatever it says. Raises SegmentationError: what ``prepare`` raises, MODEL_DAMAGED for a file
    that cannot be read.
    """
    reviewed = dataclasses.replace(task, is_reviewed=True)
    prepared = prepare(reviewed)
    written = tuple(name for name in EXPORTS if name in set(exports))
    model = _model_digest(prepared.folders)
    profiles = [each.model.profile.id for each in prepared.models]
    names = [[row.name for row in each.structures] if each.is_named else None for each in prepared.models]
    described = {
        "model": model,
        "profile": profiles if len(profiles) > 1 else profiles[0],
        "structures": names if len(names) > 1 else names[0],
        "options": _described_options(task.options),
        "exports": sorted(written),
        "export options": _described(export_options or {}) if written else {},
    }
    text = json.dumps(described, sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
    return CaseTask(reviewed, written, export_options or {}, digest, model, _versions())


def _described_options(options: JobOptions) -> dict[str, Any]:
    """Those on which a result depends. Options of later versions count where they are not at their default, so that
    what an earlier version segmented is not done again."""
    default = JobOptions().to_json()
    return {
        name: value
        for name, value in options.to_json().items()
        if name not in _WARN_ONLY and (name in _FIRST_OPTIONS or value != default[name])
    }


def _described(options: dict[str, Any]) -> dict[str, Any]:
    """With the content of a template instead of its path."""
    template = options.get("template")
    if template is None or not Path(template).is_file():
        return options
    return options | {"template": hashlib.sha256(Path(template).read_bytes()).hexdigest()}


def _model_digest(folders: Iterable[ModelFolder]) -> str:
    """SHA-256 over plans, dataset.json and weights of all networks. Where they lie does not matter."""
    total = hashlib.sha256()
    for folder in folders:
        for path, _, _ in folder.stamps():
            try:
                with Path(path).open("rb") as stream:
                    while block := stream.read(_BLOCK_BYTES):
                        total.update(block)
            except OSError:
                raise SegmentationError("MODEL_DAMAGED", file=Path(path).name) from None
    return total.hexdigest()


def _versions() -> dict[str, str]:
    found = {"engine": ENGINE_VERSION}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue  # an optional one
    return found
