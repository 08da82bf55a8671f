"""The models of the catalogue against their published pipelines, step by step with the libraries' own calls."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import nibabel
import numpy as np
import pytest
from engine_support import blobs_volume, turned
from nnunet_reference import nnunet_labels
from one_model import model_task
from scipy import ndimage
from seeded_models import make_catalogue_model
from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.job.reporting import SilentReporter
from TotalSegmentatorEngine.models.model_folder import read_model_folder
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.prepare import prepare
from TotalSegmentatorEngine.pipeline.run_job import segment
from TotalSegmentatorEngine.preprocessing.network_input import Piece, pieces_of
from TotalSegmentatorWire.tables.catalogue import Profile, read_catalogue, read_profiles
from TotalSegmentatorWire.tables.structures import structure_table

pytestmark = pytest.mark.usefixtures("one_thread")


def published_labels(model_id: str, folders: list[Path], volume: Volume, cut: bool = False) -> np.ndarray:
    """As TotalSegmentator does it: as_closest_canonical, zoom, int32, nnU-Net, parts merged by number, zoom back."""
    model = read_catalogue()[model_id]
    profile = read_profiles()[model.profile]
    table = structure_table(model.structures)
    image = nibabel.Nifti1Image(volume.array.transpose(2, 1, 0), volume.geometry.ijk_to_ras)
    original = nibabel.orientations.io_orientation(image.affine)
    canonical = nibabel.as_closest_canonical(image)
    data = np.asarray(canonical.dataobj).astype(np.float64)
    factors = np.linalg.norm(canonical.affine[:3, :3], axis=0) / model.spacing_mm
    data_resampled = ndimage.zoom(data, factors, order=profile.resampling_order, mode="nearest").astype(np.int32)
    merged = np.zeros(data_resampled.shape, dtype=np.uint8)
    for part, folder in zip(model.parts, folders, strict=True):
        labels = _cut_in_three(data_resampled, folder, profile) if cut else _nnunet(data_resampled, folder, profile)
        for row in table:
            if len(model.parts) == 1:
                merged[labels == row.label] = row.label
            elif row.part_model == part.name.split("_")[0]:
                merged[labels == row.label_in_part] = row.label
    back = [size / resampled for size, resampled in zip(data.shape, merged.shape, strict=True)]
    restored = ndimage.zoom(merged, back, order=0, mode="nearest")
    from_canonical = nibabel.orientations.ornt_transform(nibabel.orientations.axcodes2ornt("RAS"), original)
    return nibabel.orientations.apply_orientation(restored, from_canonical).transpose(2, 1, 0)


def _nnunet(data: np.ndarray, folder: Path, profile: Profile) -> np.ndarray:
    """Labels (x, y, z) of resampled data in the same axes."""
    affine = np.diag([*read_model_folder(folder).spacing, 1.0])
    softmax = profile.average == "softmax"
    image = data.transpose(2, 1, 0)
    return nnunet_labels(folder, image, affine, profile.step, half_precision=False, softmax=softmax).transpose(2, 1, 0)


def _cut_in_three(data: np.ndarray, folder: Path, profile: Profile) -> np.ndarray:
    """TotalSegmentator's triple split: three overlapping pieces along z, each by itself."""
    third, margin = data.shape[2] // 3, 20
    first = _nnunet(data[:, :, : third + margin], folder, profile)
    second = _nnunet(data[:, :, third + 1 - margin : third * 2 + margin], folder, profile)
    last = _nnunet(data[:, :, third * 2 + 1 - margin :], folder, profile)
    joined = np.zeros(data.shape, dtype=np.uint8)
    joined[:, :, :third] = first[:, :, :-margin]
    joined[:, :, third : third * 2] = second[:, :, margin - 1 : -margin]
    joined[:, :, third * 2 :] = last[:, :, margin - 1 :]
    return joined


@pytest.mark.parametrize(
    ("model_id", "shape", "spacing"),
    [
        ("104-3mm", (20, 34, 30), (5.0, 2.0, 2.2)),
        ("104-1.5mm", (16, 20, 22), (2.5, 1.6, 1.4)),
        ("117-1.5mm", (30, 20, 22), (1.0, 1.4, 1.6)),
        ("117-3mm", (22, 24, 26), (3.0, 3.0, 3.0)),
        ("117-6mm", (40, 50, 44), (2.0, 3.0, 3.1)),
    ],
)
def test_a_catalogue_model_gives_what_its_published_pipeline_gives(tmp_path: Path, model_id, shape, spacing) -> None:
    folders = make_catalogue_model(tmp_path, model_id)
    volume = turned(blobs_volume(shape, spacing), (0, 1, 2), (False, True, True))
    expected = published_labels(model_id, folders, volume)
    prepared = prepare(model_task(model_id, tmp_path))
    result = segment(volume, prepared, EngineCache(), SilentReporter())
    assert (result.layers[0] == expected).mean() >= 0.998
    assert len(np.unique(expected)) >= 5
    assert result.models == [model_id] and len(result.structures) == int(model_id[:3])


def test_few_structures_run_only_their_parts_and_come_back_as_in_the_full_run(tmp_path: Path) -> None:
    make_catalogue_model(tmp_path, "117-1.5mm")
    volume = blobs_volume((20, 20, 22), (1.5, 1.5, 1.5))
    full = segment(volume, prepare(model_task("117-1.5mm", tmp_path)), EngineCache(), SilentReporter())
    ribs = [found.name for found in full.found if found.name.startswith("rib")]
    assert ribs, "the last part's labels overwrite all others"
    prepared = prepare(model_task("117-1.5mm", tmp_path, ribs))
    assert [part.folder is not None for part in prepared.models[0].model.parts] == [False] * 4 + [True]
    assert [warning.code for warning in prepared.warnings] == ["NO_LOCALIZATION"], "no coarser model is installed"
    few = segment(volume, prepared, EngineCache(), SilentReporter())
    wanted = [structure.label for structure in few.structures]
    assert np.array_equal(few.layers[0], np.where(np.isin(full.layers[0], wanted), full.layers[0], 0))


def test_large_images_are_cut_in_three_as_published() -> None:
    profile = read_profiles()["totalsegmentator-2.18"]
    assert len(pieces_of((900, 512, 512), profile, 5)) == 1
    assert len(pieces_of((901, 512, 512), profile, 1)) == 1, "models of one part are not cut"
    assert len(pieces_of((190, 2000, 2000), profile, 5)) == 1, "short images are not cut"
    image = np.arange(1000)
    pieces = pieces_of((1000, 512, 512), profile, 5)
    parts = [image[piece.rows] for piece in pieces]
    third, margin = 1000 // 3, 20
    assert np.array_equal(parts[0], image[: third + margin])
    assert np.array_equal(parts[1], image[third + 1 - margin : third * 2 + margin])
    assert np.array_equal(parts[2], image[third * 2 + 1 - margin :])
    kept = [
        image[piece.rows][piece.kept.start - piece.rows.start :][: piece.kept.stop - piece.kept.start]
        for piece in pieces
    ]
    assert np.array_equal(np.concatenate(kept), image)


def test_pieces_are_joined_where_the_published_pipeline_joins_them(tmp_path: Path, monkeypatch) -> None:
    folders = make_catalogue_model(tmp_path, "117-1.5mm")
    volume = blobs_volume((211, 16, 16), (1.5, 1.5, 1.5))
    cut_at_any_size(monkeypatch)
    prepared = prepare(model_task("117-1.5mm", tmp_path))
    result = segment(volume, prepared, EngineCache(), SilentReporter())
    expected = published_labels("117-1.5mm", folders, volume, cut=True)
    assert (result.layers[0] == expected).mean() >= 0.998
    assert (result.layers[0] == published_labels("117-1.5mm", folders, volume)).mean() < 0.95, "cutting moves the tiles"


def test_few_structures_of_a_large_image_are_cut_as_in_the_full_run(tmp_path: Path, monkeypatch) -> None:
    make_catalogue_model(tmp_path, "117-1.5mm")
    volume = blobs_volume((211, 16, 16), (1.5, 1.5, 1.5))
    cut_at_any_size(monkeypatch)
    full = segment(volume, prepare(model_task("117-1.5mm", tmp_path)), EngineCache(), SilentReporter())
    ribs = [found.name for found in full.found if found.name.startswith("rib")]
    few = segment(volume, prepare(model_task("117-1.5mm", tmp_path, ribs)), EngineCache(), SilentReporter())
    wanted = [structure.label for structure in few.structures]
    assert np.array_equal(few.layers[0], np.where(np.isin(full.layers[0], wanted), full.layers[0], 0))


def cut_at_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every image of more than 200 slices counts as large."""

    def cut(shape: tuple[int, int, int], profile: Profile, part_count: int) -> list[Piece]:
        return pieces_of(shape, dataclasses.replace(profile, split_above_voxels=1), part_count)

    for module in ("pipeline.preprocessed_ct", "plan.tile_counts"):
        monkeypatch.setattr(f"TotalSegmentatorEngine.{module}.pieces_of", cut)
