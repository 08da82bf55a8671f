"""The same labels: each distinct pipeline of the tasks against nnU-Net's own predictor within the published crop.

The tasks' networks are seeded; their shapes are assumed, since nobody has published them outside the archives. The
coarse models find a block of known CT number in a phantom, so that the crop is a real one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from hu_models import make_hu_model
from phantom import PhantomParameters, make_phantom
from published_task import published_task_labels
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorWire.tables.catalogue import read_catalogue

from benchmarks.engine import our_engine
from benchmarks.figures.speed import options_of, report_agreement
from benchmarks.inputs import published_models
from benchmarks.inputs.workload import Workload
from benchmarks.measuring.agreement import agreement
from benchmarks.measuring.image_files import read_nifti, write_nifti

PIPELINES = {
    "resampled by mm": "breasts",
    "resampled by mm, cropped": "head_glands_cavities",
    "resampled by mm, two networks": "headneck_muscles",
    "resampled by the plans, cropped": "cerebral_bleed",
    "cropped by a model that is cropped itself": "teeth",
    "cropped by the body": "abdominal_muscles",
    "finished by another model": "vertebrae_pp_refined",
}
REFERENCES = {" (peer sums in float32)": False, "": True}
"""Whether nnU-Net adds up tiles in float16, as it does by itself; in float32 tells what comes from that rounding."""
MARK_HU = 2500
SPACING_MM = (0.8, 0.8, 1.5)
FIELD_MM = ((-60.0, 60.0), (-60.0, 60.0), (-90.0, 90.0))
BLOCK_MM = ((-15.0, 12.0), (-18.0, 15.0), (-14.0, 20.0))
"""Along right, front and head from the middle of the field."""


def measure(workload: Workload) -> None:
    ct = _ct(workload)
    array, matrix = read_nifti(ct)
    volume = Volume(np.ascontiguousarray(array), Geometry(array.shape, matrix))
    workload.report.say("  seeded networks, whose shapes are assumed: {}".format(_architecture(workload)))
    rows = []
    for title, task in PIPELINES.items():
        models = _models(workload, task)
        run = our_engine.segment(workload, task, ct, "labels.nii.gz", options_of("exact"), models_folder=models)
        for what, is_half in REFERENCES.items():
            begun = time.perf_counter()
            reference = published_task_labels(task, models, volume, half_precision=is_half)
            seconds = time.perf_counter() - begun
            same = agreement(run.output, reference)
            name = "labels {}{}".format(title, what)
            report_agreement(workload, name, same, is_exact=True)
            shown = "  {}: equal voxels {:.5f}, foreground {:.5f}; {:.0f} s, peer {:.0f} s"
            workload.report.say(shown.format(title + what, same.voxels, same.foreground, run.seconds, seconds))
            voxels = "{:.5f}".format(same.voxels), "{:.5f}".format(same.foreground)
            rows.append([task, title + what, run.runtime, run.seconds, seconds, *voxels, int((reference > 0).sum())])
    heads = ["task", "pipeline", "ran as", "s", "peer s", "voxels", "foreground", "foreground voxels"]
    workload.report.table(heads, rows)


def _architecture(workload: Workload) -> published_models.Architecture:
    return published_models.SMALL_TASK if workload.small else published_models.ASSUMED_TASK


def _ct(workload: Workload) -> Path:
    path = workload.folder / "ct-with-a-block.nii"
    if path.exists():
        return path
    scale = 0.5 if workload.small else 1.0
    middle = np.array(published_models.BODY_CENTRE)
    field = tuple(tuple(centre + scale * end for end in ends) for centre, ends in zip(middle, FIELD_MM, strict=True))
    made = make_phantom(PhantomParameters(seed=3, spacing_mm=SPACING_MM, orientation="LPS", field_of_view_mm=field))
    places = np.indices(made.ct.shape)[::-1].reshape(3, -1)
    ras = made.ijk_to_ras[:3, :3] @ places + made.ijk_to_ras[:3, 3:]
    inside = np.ones(ras.shape[1], dtype=bool)
    for along, (low, high), centre in zip(ras, BLOCK_MM, middle, strict=True):
        inside &= (along >= centre + scale * low) & (along <= centre + scale * high)
    ct = made.ct.copy()
    ct[inside.reshape(ct.shape)] = MARK_HU
    write_nifti(path, ct.shape, _planes(ct), made.ijk_to_ras, np.int16)
    return path


def _planes(array: np.ndarray) -> Iterator[np.ndarray]:
    yield from array


def _models(workload: Workload, task: str) -> Path:
    """The task's seeded networks, and coarse models that find the block as what the task is cropped by."""
    catalogue, folder = read_catalogue(), workload.folder / "models-of-tasks" / task
    architecture = _architecture(workload)
    published_models.make_published_models(folder, {task: architecture}, [task])
    asking = [catalogue[each] for each in (task, *catalogue[task].needed_models)]
    asked = {model.crop.model: model.crop.classes[0] for model in asking if model.crop is not None}
    asked |= {step.model: step.structures[0] for model in asking for step in model.steps if step.model}
    for coarse, structure in asked.items():
        if not catalogue[coarse].is_installed(folder):
            make_hu_model(folder, coarse, {structure: MARK_HU}, architecture.patch_size)
    return folder
