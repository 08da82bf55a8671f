"""The converter against nnU-Net v1: seeded networks of the six published shapes, one tile each, and one whole CT.

v1's own network and predictor (nnunet 1.7.1) are the judge, in an environment of their own. Published plans cannot be
had without the archives; patches, pools and label counts are those that v1 plans for these images (see
published_models.py).
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from environment import ensure_v1_environment
from SimpleITK import Cast, DICOMOrient, GetArrayFromImage, ReadImage, WriteImage, sitkInt16
from TotalSegmentatorEngine.inference.network import load_model
from TotalSegmentatorEngine.models.find_model import published_numbers
from TotalSegmentatorEngine.models.model_folder import read_model_folder
from TotalSegmentatorWire.tables.catalogue import CatalogueModel, ModelPart, read_catalogue

from benchmarks.engine.our_engine import MODULE, segment
from benchmarks.inputs.workload import Workload
from benchmarks.measuring.report import GB
from benchmarks.measuring.timed_process import ProcessRun, run_timed

LARGEST_DIFFERENCE = 1e-3
EQUAL_VOXELS = 0.9999
_PROGRAM = Path(__file__).resolve().parents[1] / "peers" / "v1_program.py"
_CUBIC = [[2, 2, 2]] * 5
_POOLS = {"104-1.5mm": _CUBIC, "104-3mm": [*_CUBIC[:4], [1, 1, 2]]}
_PATCHES = {"104-1.5mm": [128, 128, 128], "104-3mm": [112, 112, 128]}
_SMALL_PATCHES = {"104-1.5mm": [32, 32, 64], "104-3mm": [32, 32, 64]}
_CT_SIZE_MM = (450.0, 409.0, 409.0)
"""150 x 128 x 128 voxels of the coarse CT: four tiles of the 3 mm network at v1's step of half a patch."""


@dataclass(frozen=True)
class _Part:
    """One published archive: the v1 folder that stands for it, and where it is converted to."""

    model: CatalogueModel
    part: ModelPart
    source: Path
    target: Path

    @property
    def name(self) -> str:
        return self.part.name.split("_")[0]


def measure(workload: Workload) -> None:
    """Six conversions with their tiles, then the labels of a CT."""
    parts = _parts(workload)
    _make(workload, parts)
    rows, differences = [], []
    for part in parts:
        run = _convert(part)
        difference, largest = _tile_difference(workload, part)
        differences.append(difference)
        patch = " x ".join(map(str, read_model_folder(part.target).patch_size))
        labels = len(published_numbers(part.model, part.part.name))
        rows.append([part.name, patch, labels, run.seconds, run.peak_bytes / GB, f"{difference:.1e}", largest])
    heads = ["archive", "patch", "labels", "s", "peak GB", "difference", "largest logit"]
    workload.report.table(heads, rows)
    workload.report.say("  largest difference of a logit from nnunet 1.7.1's: {:.2e}".format(max(differences)))
    workload.report.ratio("conversion: largest difference of a logit", max(differences), LARGEST_DIFFERENCE)
    _compare_labels(workload, parts[-1])


def _parts(workload: Workload) -> list[_Part]:
    """The last one is that of 3 mm, Task256."""
    parts = []
    for model_id in _POOLS:
        model = read_catalogue()[model_id]
        for part, target in zip(model.parts, model.part_folders(workload.folder / "models-converted"), strict=True):
            leaf = f"{model.trainer}__{model.plans}"
            parts.append(_Part(model, part, workload.folder / "models-v1" / part.name / leaf, target))
    return parts


def _make(workload: Workload, parts: list[_Part]) -> None:
    patches = _SMALL_PATCHES if workload.small else _PATCHES
    shapes = [
        {
            "folder": str(part.source),
            "seed": int(part.name.removeprefix("Task")),
            "spacing": [part.model.spacing_mm] * 3,
            "patch_size": patches[part.model.id],
            "pools": _POOLS[part.model.id],
            "classes": len(published_numbers(part.model, part.part.name)),
            "features": 4 if workload.small else 32,
        }
        for part in parts
        if not (part.source / "fold_0" / "model_final_checkpoint.model.pkl").is_file()
    ]
    if shapes:
        workload.report.say("making {} v1 folders with seeded weights".format(len(shapes)))
        file = workload.result("v1-shapes.json")
        file.write_text(json.dumps(shapes), encoding="utf-8")
        _v1("make", file)


@cache
def _v1_python() -> Path:
    return ensure_v1_environment()


def _v1(*arguments: str | Path) -> ProcessRun:
    return run_timed([_v1_python(), _PROGRAM, *arguments])


def _convert(part: _Part) -> ProcessRun:
    if part.target.is_dir():
        for file in sorted(part.target.rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
        part.target.rmdir()
    command = [sys.executable, "-m", "TotalSegmentatorEngine", "convert-model", part.source, part.target]
    run = run_timed(command, {"PYTHONPATH": str(MODULE)})
    check = [sys.executable, "-m", "TotalSegmentatorEngine", "check-model", part.target]
    run_timed([*check, "--model", part.model.id, "--part", part.part.name], {"PYTHONPATH": str(MODULE)})
    return run


def _tile_difference(workload: Workload, part: _Part) -> tuple[float, float]:
    """Of the logits of a tile of noise; and the largest logit, to measure it by."""
    folder = read_model_folder(part.target)
    tile = np.random.default_rng(7).standard_normal(folder.patch_size).astype(np.float32)
    tile_file, logits_file = workload.result("v1-tile.npy"), workload.result("v1-logits.npy")
    np.save(tile_file, tile)
    _v1("logits", part.source, tile_file, logits_file)
    network = load_model(folder, torch.device("cpu")).networks[0]
    with torch.inference_mode():
        ours = network(torch.from_numpy(tile)[None, None])[0].numpy()
    theirs = np.load(logits_file)
    return float(np.abs(ours - theirs).max()), float(np.abs(theirs).max())


def _compare_labels(workload: Workload, part: _Part) -> None:
    """v1's predictor against our engine by the pipeline as published (step 0.5, softmax averaged), on voxels that need
    no resampling."""
    ct = _ct(workload, part.model.spacing_mm)
    labels_file, softmax_file = workload.result("v1-labels.npy"), workload.result("v1-softmax.npy")
    v1 = _v1("predict", part.source, ct, labels_file, softmax_file)
    options = ["--profile", part.model.published_profile, "--runtime", "eager", "--precision", "exact"]
    models_folder = workload.folder / "models-converted"
    ours = segment(workload, part.model.id, ct, "converted.nii.gz", options, models_folder=models_folder)
    found, expected = GetArrayFromImage(ReadImage(str(ours.output))), np.load(labels_file)
    equal = float((found == expected).mean())
    ordered = np.sort(np.load(softmax_file), axis=0)[-2:]
    close = float((ordered[1] - ordered[0])[found != expected].max(initial=0.0))
    workload.report.table(
        ["a CT of {} x {} x {} voxels".format(*found.shape), "s", "peak GB"],
        [["nnunet 1.7.1", v1.seconds, v1.peak_bytes / GB], ["ours", ours.seconds, ours.process.peak_bytes / GB]],
    )
    workload.report.say(
        "  {} labels; where they differ v1's two best probabilities are {:.1e} apart at most".format(
            len(np.unique(expected)), close
        )
    )
    workload.report.ratio("conversion: voxels equal to nnunet 1.7.1's", equal, EQUAL_VOXELS, ">=")


def _ct(workload: Workload, spacing: float) -> Path:
    """The phantom's coarse CT with its voxels called so large as the network's, in the order that both sides read
    alike (RAS)."""
    coarse = workload.cropped_ct("conversion", _CT_SIZE_MM, is_coarse=True)
    image = DICOMOrient(ReadImage(str(coarse)), "RAS")
    image.SetSpacing((spacing,) * 3)
    image.SetOrigin((0.0, 0.0, 0.0))
    path = workload.result("conversion-ct.nii")
    WriteImage(Cast(image, sitkInt16), str(path))
    return path
