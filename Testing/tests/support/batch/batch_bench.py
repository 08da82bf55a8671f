"""The command ``batch`` over small CTs, with a stand-in for the networks that needs no torch."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import ct_variants
import numpy as np
import pytest
from one_model import model_result
from series_support import chest, write_series
from TotalSegmentatorEngine.batch.store.batch_folder import BatchFolder
from TotalSegmentatorEngine.batch.store.outcome import Outcome
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.imaging.voxel_digest import with_digests
from TotalSegmentatorEngine.job.task import PreparedTask, SegmentationResult
from TotalSegmentatorEngine.pipeline import run_job as pipeline
from TotalSegmentatorEngine.statistics.structure_statistics import with_statistics
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.review import Flag, Level
from TotalSegmentatorWire.messages.segment import FoundStructure

PATIENT = "Mustermann^Erika"
GRID = np.diag([1.5, 1.5, 2.0, 1.0])
LIVER_HU, SPLEEN_HU = 0, 500
"""The stand-in finds the liver above the first number, the spleen above the second."""


def segmented(volume: Volume, prepared: PreparedTask) -> SegmentationResult:
    """What the pipeline's ``segment`` returns: labels by CT number, and one flag, where the task is reviewed."""
    labels = (volume.array > LIVER_HU).astype(np.uint8) + (volume.array > SPLEEN_HU).astype(np.uint8)
    found = []
    for label, name in ((1, "liver"), (2, "spleen")):
        voxels = np.argwhere(labels == label)
        if len(voxels):
            low, high = voxels.min(axis=0)[::-1], voxels.max(axis=0)[::-1]
            extent = [int(edge) for pair in zip(low, high, strict=True) for edge in pair]
            found.append(FoundStructure(label, name, len(voxels), extent))
    found = with_statistics(with_digests(found, [labels], volume.geometry), [labels], volume)
    flags = (Flag("cut_by_scan", Level.CUT, "liver", numbers={"sides": "feet"}),) if found else ()
    used = JobOptions(runtime="eager", precision="exact")
    flags = flags if prepared.task.is_reviewed else None
    return model_result(labels, prepared.structures, found, [], prepared.models[0].model.id, options=used, flags=flags)


@dataclass(frozen=True)
class BatchRun:
    """One call of the command, and what it said and left."""

    status: int
    err: str
    out: str
    folder: Path
    segmented: int
    """How many CTs went through the networks."""
    outcomes: dict[str, Outcome]
    """By id."""
    inputs: list[dict[str, str]]
    """The rows of private/inputs.csv."""

    @property
    def codes(self) -> list[str]:
        """Of the failed ones, sorted."""
        return sorted(outcome.error.code for outcome in self.outcomes.values() if outcome.error is not None)

    def outcome_of(self, path: Path) -> Outcome:
        """Of the only CT at ``path`` or below it."""
        (case_id,) = {row["id"] for row in self.inputs if Path(row["path"]).is_relative_to(path)}
        return self.outcomes[case_id]


@dataclass
class BatchBench:
    """``on_segment`` gets each CT (k, j, i) before it is segmented; what it raises the networks raise."""

    folder: Path
    model: Path | None
    """None where ``words`` choose the models."""
    capsys: pytest.CaptureFixture
    on_segment: Callable[[np.ndarray], None] = lambda array: None
    find: Callable[[Volume, PreparedTask], SegmentationResult] = segmented
    """The stand-in for the networks."""
    seen: list[np.ndarray] = field(default_factory=list)
    plan: dict[str, int | None] = field(default_factory=lambda: {"peak_bytes": 10**9, "available_bytes": 10**10})
    """What a job needs of memory, and what there is."""

    @property
    def inputs(self) -> Path:
        return self.folder / "archive"

    @property
    def output(self) -> Path:
        return self.folder / "results"

    def __call__(self, *words: object, inputs: list[object] | None = None, output: Path | None = None) -> BatchRun:
        """``batch`` over the folder of inputs, or over others, with further options."""
        output = output or self.output
        before = len(self.seen)
        self.capsys.readouterr()
        model = [] if self.model is None else ["--model", self.model]
        options = ["--output", output, *model, "--accept-size", *words]
        status = main(["batch", *map(str, [*(inputs or [self.inputs]), *options])])
        printed = self.capsys.readouterr()
        outcomes = {outcome.id: outcome for outcome in BatchFolder(output).outcomes()}
        count = len(self.seen) - before
        return BatchRun(status, printed.err, printed.out, output, count, outcomes, _rows(output))

    def predict(self, volume, prepared, cache, reporter, learns: bool) -> Callable[[], SegmentationResult]:
        result = self.segment(volume, prepared, cache, reporter)
        return lambda: result

    def segment(self, volume, prepared, _cache, reporter, on_preview=None) -> SegmentationResult:
        reporter.check_cancelled()
        self.on_segment(volume.array)
        self.seen.append(volume.array)
        return self.find(volume, prepared)

    def dicom(self, name: str, seed: int = 0, slices: int = 4, **attributes) -> Path:
        """A DICOM series of its own patient in the folder of inputs."""
        folder = self.inputs / name
        folder.mkdir(parents=True, exist_ok=True)
        names = {"PatientName": PATIENT, "PatientID": f"PID-{seed:05d}", "StudyDescription": "Thorax nativ"}
        write_series(folder, chest(seed, slices), **(names | attributes))
        return folder

    def image(self, name: str, seed: int = 0, slices: int = 4) -> Path:
        """An image file in the folder of inputs."""
        path = self.inputs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return ct_variants.write_image(path, chest(seed, slices), GRID)


def _rows(output: Path) -> list[dict[str, str]]:
    path = output / "private" / "inputs.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
        return list(csv.DictReader(stream))


def make_bench(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> BatchBench:
    """The networks are replaced as long as ``monkeypatch`` lasts."""
    from seeded_models import write_folder  # imports torch, which what the bench is patched with does not need

    model = write_folder(folder / "models" / "Dataset901_Bench")
    bench = BatchBench(folder, model, capsys)
    bench.inputs.mkdir()
    monkeypatch.setattr(pipeline, "prefetch_weights", lambda prepared, cache: None)
    monkeypatch.setattr(pipeline, "segment", bench.segment)
    monkeypatch.setattr(pipeline, "predict", bench.predict)
    monkeypatch.setattr(pipeline, "resample_ahead", lambda volume, prepared, reporter: None)
    monkeypatch.setattr(pipeline, "plan", lambda volume, prepared, cache: SimpleNamespace(**bench.plan))
    return bench


def record_of(outcome: Outcome) -> dict:
    """What is the same in every run: all but times."""
    fields = json.loads(json.dumps(outcome, default=vars))
    return {name: value for name, value in fields.items() if name != "seconds"}
