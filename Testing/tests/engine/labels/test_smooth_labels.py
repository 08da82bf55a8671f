"""Smooth boundaries: labels of the interpolated logits, which SciPy and nnU-Net's own code make here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from engine_support import blobs_volume, turned
from nnunet_reference import gaussian_of
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from one_model import model_task
from scipy import ndimage
from seeded_models import CONFIGURATION, judge_network, make_catalogue_model, make_model_folder
from TotalSegmentatorEngine.imaging.geometry import Volume, canonical_reorientation
from TotalSegmentatorEngine.job.reporting import SilentReporter
from TotalSegmentatorEngine.job.task import SegmentationResult
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.prepare import prepare
from TotalSegmentatorEngine.pipeline.run_job import segment
from TotalSegmentatorEngine.preprocessing.network_input import Piece
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.tables.catalogue import Profile, read_catalogue, read_profiles
from TotalSegmentatorWire.tables.structures import structure_table

pytestmark = pytest.mark.usefixtures("one_thread")

Box = tuple[slice, slice, slice]

LOWEST_AGREEMENT = 0.999
"""Near-ties of random networks fall otherwise when float32 is added up in another order."""
FIRST_SEED = 10
"""Of the weights that make_catalogue_model gives to the first part."""


# -- by SciPy and nnU-Net ----------------------------------------------------------------------------------------------


def resampled_ct(volume: Volume, model_id: str) -> np.ndarray:
    """int32 [S, A, R] at the model's spacing, as TotalSegmentator resamples."""
    model = read_catalogue()[model_id]
    canonical = canonical_reorientation(volume.geometry).apply(volume)
    factors = [length / model.spacing_mm for length in reversed(canonical.geometry.spacing)]
    order = read_profiles()[model.profile].resampling_order
    data = ndimage.zoom(canonical.array.astype(np.float64), factors, order=order, mode="nearest")
    return data.astype(np.int32)


def averages_of(image: np.ndarray, folder: Path, number: int, profile: Profile) -> np.ndarray:
    """float32 (labels, z, y, x): averaged logits, or softmax, of nnU-Net's own sliding window over the whole image.

    ``number`` counts the parts of the model from 0.
    """
    plans = json.loads((folder / "plans.json").read_text())
    dataset_json = json.loads((folder / "dataset.json").read_text())
    manager = PlansManager(plans)
    network = judge_network(plans, dataset_json, FIRST_SEED + number)
    if profile.average == "softmax":
        network.register_forward_hook(lambda _network, _inputs, logits: torch.softmax(logits, dim=1))
    predictor = nnUNetPredictor(
        tile_step_size=profile.step,
        use_mirroring=False,
        perform_everything_on_device=False,
        device=torch.device("cpu"),
        allow_tqdm=False,
    )
    configuration = manager.get_configuration(CONFIGURATION)
    predictor.manual_initialization(network, manager, configuration, None, dataset_json, "nnUNetTrainer", None)
    intensities = plans["foreground_intensity_properties_per_channel"]["0"]
    clipped = np.clip(image.astype(np.float32), intensities["percentile_00_5"], intensities["percentile_99_5"])
    normalised = (clipped - np.float32(intensities["mean"])) / np.float32(intensities["std"])
    # its sums are float16, which is chance near the corners
    with mock.patch.object(torch, "half", torch.float32), gaussian_of(profile.average == "softmax"):
        return predictor.predict_sliding_window_return_logits(torch.from_numpy(normalised[None])).numpy()


def largest_interpolated(averages: np.ndarray, full_shape: Sequence[int]) -> np.ndarray:
    """Labels of ``full_shape``: linear from corner to corner, then the largest."""
    factors = [full / size for full, size in zip(full_shape, averages.shape[1:], strict=True)]
    best = [ndimage.zoom(average, factors, order=1, mode="nearest") for average in averages]
    return np.argmax(best, axis=0).astype(np.uint8)


def largest_in_box(averages: np.ndarray, box: Box, shape: Sequence[int], full_shape: Sequence[int]) -> np.ndarray:
    """The same where ``averages`` are those of a ``box`` of the grid ``shape``: beyond the box's outermost voxels
    these go on, and what lies nearer to a voxel outside of the box is background."""
    lines, covered = [], []
    for part, size, full in zip(box, shape, full_shape, strict=True):
        nearest = ndimage.zoom(np.arange(size), full / size, order=0, mode="nearest")
        inside = np.flatnonzero((nearest >= part.start) & (nearest < part.stop))
        places = inside * ((size - 1) / (full - 1))
        lines.append(np.clip(places, part.start, part.stop - 1) - part.start)
        covered.append(slice(int(inside[0]), int(inside[-1]) + 1))
    places = np.meshgrid(*lines, indexing="ij")
    labels = np.zeros(full_shape, dtype=np.uint8)
    labels[tuple(covered)] = np.argmax(
        [ndimage.map_coordinates(average, places, order=1) for average in averages], axis=0
    )
    return labels


def merged(model_id: str, parts: Sequence[np.ndarray]) -> np.ndarray:
    """Later parts over earlier ones, by the published numbers."""
    model, table = read_catalogue()[model_id], structure_table(read_catalogue()[model_id].structures)
    labels = np.zeros_like(parts[0])
    for part, found in zip(model.parts, parts, strict=True):
        for row in table:
            if len(parts) == 1:
                labels[found == row.label] = row.label
            elif row.part_model == part.name.split("_")[0]:
                labels[found == row.label_in_part] = row.label
    return labels


def in_own_order(labels: np.ndarray, volume: Volume) -> np.ndarray:
    return canonical_reorientation(volume.geometry).undo(labels)


def full_shape_of(volume: Volume) -> tuple[int, ...]:
    return canonical_reorientation(volume.geometry).view(volume.array).shape


# -- by the engine -----------------------------------------------------------------------------------------------------


def segmented(
    model: str, models_folder: Path, volume: Volume, structures: list[str] | None = None, smooth: bool = True
) -> SegmentationResult:
    task = model_task(model, models_folder, structures, options=JobOptions(smooth=smooth))
    return segment(volume, prepare(task), EngineCache(), SilentReporter())


def assert_smooth(result: SegmentationResult, expected: np.ndarray, blocky: np.ndarray | None = None) -> None:
    """``blocky`` labels of the same job must be others, else there would be nothing to see."""
    assert result.layers[0].shape == expected.shape and result.layers[0].dtype == np.uint8
    assert (result.layers[0] == expected).mean() >= LOWEST_AGREEMENT
    assert len(np.unique(expected)) >= 5
    counts = np.bincount(result.layers[0].ravel(), minlength=256)
    assert {found.label: found.voxels for found in result.found} == {
        structure.label: counts[structure.label] for structure in result.structures if counts[structure.label]
    }
    if blocky is not None:
        assert (blocky != result.layers[0]).mean() > 0.02


FINE = (36, 30, 33)
"""Voxels of a CT that has about 1.7 of them for each of the model's, along each axis another number."""
SPACING = (1.6, 1.8, 1.75)
CASES = [("117-3mm", SPACING), ("104-3mm", SPACING), ("117-1.5mm", (0.8, 0.9, 0.9))]


@pytest.mark.parametrize(("model_id", "spacing"), CASES, ids=["logits", "softmax", "five parts"])
def test_labels_are_the_largest_of_interpolated_averages(tmp_path: Path, model_id: str, spacing) -> None:
    folders = make_catalogue_model(tmp_path, model_id)
    volume = turned(blobs_volume(FINE, spacing), (0, 2, 1), (False, True, True))
    image, profile = resampled_ct(volume, model_id), read_profiles()[read_catalogue()[model_id].profile]
    parts = [
        largest_interpolated(averages_of(image, folder, number, profile), full_shape_of(volume))
        for number, folder in enumerate(folders)
    ]
    blocky = segmented(model_id, tmp_path, volume, smooth=False).layers[0]
    assert_smooth(segmented(model_id, tmp_path, volume), in_own_order(merged(model_id, parts), volume), blocky)


def test_only_the_requested_structures_come_back(tmp_path: Path) -> None:
    make_catalogue_model(tmp_path, "117-3mm")
    volume = blobs_volume(FINE, SPACING)
    everything = segmented("117-3mm", tmp_path, volume)
    requested = [found.name for found in everything.found][::2]
    few = segmented("117-3mm", tmp_path, volume, requested)
    wanted = [structure.label for structure in few.structures]
    assert np.array_equal(few.layers[0], np.where(np.isin(everything.layers[0], wanted), everything.layers[0], 0))
    assert {found.name for found in few.found} == set(requested)


def test_a_border_of_zeros_is_background(tmp_path: Path) -> None:
    """nnU-Net crops it away before the network: what lies nearest to the box's outermost voxels continues them."""
    (folder,) = make_catalogue_model(tmp_path, "117-3mm")
    volume = blobs_volume(FINE, SPACING)
    inside = np.zeros(FINE, dtype=bool)
    inside[6:31, 5:30, 4:26] = True
    volume = Volume(np.where(inside, volume.array, 0).astype(np.int16), volume.geometry)
    image, profile = resampled_ct(volume, "117-3mm"), read_profiles()["totalsegmentator-2.18"]
    (box,) = ndimage.find_objects((image != 0).astype(np.uint8))
    assert all(part.stop - part.start < size for part, size in zip(box, image.shape, strict=True))
    expected = largest_in_box(averages_of(image[box], folder, 0, profile), box, image.shape, FINE)
    assert_smooth(segmented("117-3mm", tmp_path, volume), expected)


def test_pieces_of_a_large_image_meet_without_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder,) = make_catalogue_model(tmp_path, "117-3mm")
    volume = blobs_volume(FINE, SPACING)
    image, profile = resampled_ct(volume, "117-3mm"), read_profiles()["totalsegmentator-2.18"]
    rows = len(image)
    pieces = [
        Piece(slice(0, 12), slice(0, 7)),
        Piece(slice(4, 15), slice(7, 11)),
        Piece(slice(9, rows), slice(11, rows)),
    ]
    for module in ("pipeline.preprocessed_ct", "plan.tile_counts"):
        monkeypatch.setattr(f"TotalSegmentatorEngine.{module}.pieces_of", lambda *_: pieces)
    expected = np.zeros(FINE, dtype=np.uint8)
    nearest = ndimage.zoom(np.arange(rows), FINE[0] / rows, order=0, mode="nearest")
    for piece in pieces:
        box = (piece.rows, *(slice(0, size) for size in image.shape[1:]))
        found = largest_in_box(averages_of(image[piece.rows], folder, 0, profile), box, image.shape, FINE)
        own = (nearest >= piece.kept.start) & (nearest < piece.kept.stop)
        expected[own] = found[own]
    assert_smooth(segmented("117-3mm", tmp_path, volume), expected)


def test_a_region_is_interpolated_within_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The part that knows the requested structures runs over a region of the coarse localization, given here."""
    model_id, pipeline = "117-1.5mm", "TotalSegmentatorEngine.pipeline"
    folder = make_catalogue_model(tmp_path, model_id)[-1]
    make_catalogue_model(tmp_path, "117-6mm")
    volume = turned(blobs_volume((44, 40, 38), (0.8, 0.9, 0.9)), (0, 1, 2), (False, True, True))
    image, profile = resampled_ct(volume, model_id), read_profiles()["totalsegmentator-2.18"]
    box = (slice(3, 21), slice(0, 17), slice(5, image.shape[2]))
    monkeypatch.setattr(f"{pipeline}.step_scopes.part_regions", lambda *_, **__: {folder.parent.name: box})
    monkeypatch.setattr(f"{pipeline}.region_growth.cut_sides", lambda *_: [])  # random labels end at every border
    ribs = [row.name for row in structure_table("structures_117") if row.name.startswith("rib")]
    found = largest_in_box(averages_of(image[box], folder, 4, profile), box, image.shape, full_shape_of(volume))
    table = [row for row in structure_table("structures_117") if row.name in ribs]
    expected = np.zeros_like(found)
    for row in table:
        expected[found == row.label_in_part] = row.label
    assert_smooth(segmented(model_id, tmp_path, volume, ribs), in_own_order(expected, volume))


def test_a_ct_at_the_models_spacing_has_nothing_to_smooth(tmp_path: Path) -> None:
    make_catalogue_model(tmp_path, "117-3mm")
    volume = turned(blobs_volume((20, 18, 22), (3.0, 3.0, 3.0)), (1, 0, 2), (True, False, True))
    blocky = segmented("117-3mm", tmp_path, volume, smooth=False)
    smooth = segmented("117-3mm", tmp_path, volume)
    assert np.array_equal(smooth.layers[0], blocky.layers[0])
    assert smooth.found == blocky.found


def test_nnunets_own_resampling_is_smooth_already(tmp_path: Path) -> None:
    """It brings the logits back to the CT's grid by itself."""
    folder = str(make_model_folder(tmp_path / "Dataset900_Seeded"))
    volume = turned(blobs_volume((30, 28, 26), (1.5, 1.7, 1.6)), (0, 1, 2), (False, True, True))
    blocky = segmented(folder, tmp_path, volume, smooth=False)
    smooth = segmented(folder, tmp_path, volume)
    assert len(blocky.found) >= 2
    assert np.array_equal(smooth.layers[0], blocky.layers[0])
    assert smooth.found == blocky.found
