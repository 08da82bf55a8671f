"""A task of the catalogue as its publisher's program runs it, with nibabel's, SciPy's and nnU-Net's own calls."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
from nnunet_reference import nnunet_labels
from scipy import ndimage
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorEngine.labels.published_steps import apply_published_steps
from TotalSegmentatorWire.tables.catalogue import CatalogueModel, read_catalogue, read_profiles
from TotalSegmentatorWire.tables.published_rules import PublishedStep
from TotalSegmentatorWire.tables.structures import structure_table

RAS = nibabel.orientations.axcodes2ornt("RAS")


def published_task_labels(
    model_id: str, models_folder: Path, volume: Volume, half_precision: bool = False
) -> np.ndarray:
    """uint8 labels (k, j, i) of the CT: by the coarse model's box, in it by nnU-Net's own predictor, then the published
    steps. All zeros where the coarse model finds nothing. ``half_precision``: as for ``nnunet_labels``."""
    model = read_catalogue()[model_id]
    labels = np.zeros(volume.array.shape, dtype=np.uint8)
    box = tuple(slice(0, size) for size in labels.shape)
    if model.crop is not None:
        mask = found_by(model.crop.model, model.crop.classes, models_folder, volume)
        if not mask.any():
            return labels
        box = published_box(mask, volume.geometry, model.crop.margin_mm)
    matrix = volume.geometry.ijk_to_ras.copy()
    matrix[:3, 3] = (matrix @ [*(part.start for part in reversed(box)), 1.0])[:3]
    array = volume.array[box].astype(np.int32)
    labels[box] = _labels_within(model, models_folder, array, matrix, half_precision)

    def mask_of(step: PublishedStep) -> np.ndarray:
        return found_by(step.model, step.structures, models_folder, volume)

    steps = [step for step in model.steps if step.grid == "ct"]
    apply_published_steps(labels, steps, _numbers(model), tuple(reversed(volume.geometry.spacing)), mask_of)
    return labels


def found_by(model_id: str, names: tuple[str, ...], models_folder: Path, volume: Volume) -> np.ndarray:
    numbers = _numbers(read_catalogue()[model_id])
    return np.isin(published_task_labels(model_id, models_folder, volume), [numbers[name] for name in names])


def published_box(mask: np.ndarray, geometry: Geometry, margin_mm: float) -> tuple[slice, slice, slice]:
    """The voxels of a mask (k, j, i) and the margin, as TotalSegmentator 2.18 counts it: by the voxel size that the
    header of a NIfTI image holds, and cut to whole voxels."""
    zooms = nibabel.Nifti1Image(np.zeros((1, 1, 1)), geometry.ijk_to_ras).header.get_zooms()
    margins = (np.array([margin_mm] * 3) / zooms).astype(int)[::-1]
    places = np.argwhere(mask)
    first = np.maximum(places.min(axis=0) - margins, 0)
    last = np.minimum(places.max(axis=0) + 1 + margins, mask.shape)
    return tuple(slice(int(start), int(stop)) for start, stop in zip(first, last, strict=True))


def _numbers(model: CatalogueModel) -> dict[str, int]:
    return {row.name: row.label for row in structure_table(model.structures)}


def _labels_within(
    model: CatalogueModel, models_folder: Path, array: np.ndarray, matrix: np.ndarray, half_precision: bool
) -> np.ndarray:
    """Labels (k, j, i) of what the task gets of a CT."""
    image = nibabel.Nifti1Image(array.transpose(2, 1, 0), matrix)
    original = nibabel.orientations.io_orientation(image.affine)
    canonical = nibabel.as_closest_canonical(image)
    data = np.asarray(canonical.dataobj).astype(np.float64)
    spacing = np.linalg.norm(canonical.affine[:3, :3], axis=0)
    profile = read_profiles()[model.published_profile]
    wanted = np.array(model.resample_mm or [model.spacing_mm or 0.0] * 3)
    is_resampled = profile.spacing == "model" and not np.allclose(spacing, wanted)
    if is_resampled:
        factors = spacing / wanted
        resampled = ndimage.zoom(data, factors, order=profile.resampling_order, mode="nearest").astype(np.int32)
        spacing = wanted
    else:
        resampled = data
    merged = np.zeros(resampled.shape, dtype=np.uint8)
    for part, folder in zip(model.parts, model.part_folders(models_folder), strict=True):
        found = nnunet_labels(
            folder,
            resampled.transpose(2, 1, 0),
            np.diag([*spacing, 1.0]),
            profile.step,
            half_precision=half_precision,
            mirroring=False,
        ).transpose(2, 1, 0)
        for row in structure_table(model.structures):
            if len(model.parts) == 1 or row.part_model == part.name.split("_")[0]:
                merged[found == (row.label if len(model.parts) == 1 else row.label_in_part)] = row.label
    steps = [step for step in model.steps if step.grid == "network"]
    in_our_axes = np.ascontiguousarray(merged.transpose(2, 1, 0))
    apply_published_steps(in_our_axes, steps, _numbers(model), tuple(reversed([float(mm) for mm in spacing])))
    merged = in_our_axes.transpose(2, 1, 0)
    if is_resampled:
        back = [size / now for size, now in zip(data.shape, merged.shape, strict=True)]
        merged = ndimage.zoom(merged, back, order=0, mode="nearest")
    restored = nibabel.orientations.ornt_transform(RAS, original)
    return nibabel.orientations.apply_orientation(merged, restored).transpose(2, 1, 0)
