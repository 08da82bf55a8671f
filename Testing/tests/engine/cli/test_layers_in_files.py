"""Structures of two models overlap: every format that can hold that does, and the others are refused."""

from __future__ import annotations

import json
from pathlib import Path

import ct_variants
import numpy as np
import pytest
from command_line_support import FakeModel
from series_support import write_series
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.export.dicom.reference_series import read_reference
from TotalSegmentatorEngine.export.rtstruct.reader import read_rtstruct
from TotalSegmentatorEngine.export.seg.reader import read_seg
from TotalSegmentatorEngine.export.sources.segmentation_files import read_segmentation
from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.job.result_file import check_output
from TotalSegmentatorEngine.pipeline import run_job as pipeline
from TotalSegmentatorWire.errors.problem import ERRORS, SegmentationError
from TotalSegmentatorWire.tables.review_state import VOXEL_DIGEST_TAG
from two_models import PLACES, PROFILES, masks_of, replace_networks, two_model_result

SHAPE = (20, 32, 36)
GRID = np.diag([-4.0, -4.0, 5.0, 1.0])


@pytest.fixture
def cts(monkeypatch: pytest.MonkeyPatch) -> list[Volume]:
    """Those that were segmented."""
    return replace_networks(monkeypatch, pipeline, FakeModel)


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    array = np.random.default_rng(3).normal(60, 20, SHAPE).astype(np.int16)
    return ct_variants.write_image(tmp_path / "ct.nii.gz", array, GRID)


@pytest.fixture
def series(tmp_path: Path) -> Path:
    folder = tmp_path / "series"
    folder.mkdir()
    write_series(folder, np.random.default_rng(4).normal(60, 20, SHAPE).astype(np.int16))
    return folder


def run(*words: object) -> int:
    return main(["segment", *map(str, words), "--model", "m", "--accept-size"])


def test_a_segmentation_has_every_structure_whole_with_its_own_model(ct: Path, cts: list[Volume], tmp_path: Path):
    assert run(ct, tmp_path / "out.seg.nrrd") == 0
    read = read_segmentation(tmp_path / "out.seg.nrrd", None, lambda _warning: None)

    (volume,) = cts
    masks = masks_of(volume.array.shape)
    digests = {found.name: found.digest for found in two_model_result(volume).found}
    assert len(read.layers) == 2 and [segment.id for segment in read.segments] == list(PLACES)
    for segment in read.segments:
        layer, label, model = PLACES[segment.id]
        assert (segment.layer, segment.label) == (layer, label)
        assert np.array_equal(read.layers[layer].array == label, masks[segment.id])
        assert segment.tags["TotalSegmentatorModule.Model"] == model
        assert segment.tags["TotalSegmentatorModule.Profile"] == PROFILES[model]
        assert segment.tags[VOXEL_DIGEST_TAG] == digests[segment.id]
        assert segment.structure.name == segment.id


def test_the_review_speaks_of_structures_of_every_layer(ct: Path, cts: list[Volume], tmp_path: Path):
    """The remark on the kidney, which has a second part far away, points there and not at what has its label in the
    first layer."""
    assert run(ct, tmp_path / "out.seg.nrrd", "--review") == 0
    flags = json.loads((tmp_path / "out.review.json").read_text(encoding="utf-8"))["flags"]

    (volume,) = cts
    kidney = masks_of(volume.array.shape)["kidney_left"]
    (flag,) = (flag for flag in flags if flag["rule"] in ("divided", "islands"))
    assert flag["structure"] == "kidney_left"
    index = np.linalg.inv(volume.geometry.ijk_to_ras) @ [*flag["place_ras_mm"], 1.0]
    assert kidney[tuple(np.round(index[2::-1]).astype(int))]


@pytest.mark.parametrize(("kind", "reader"), [("rtstruct", read_rtstruct), ("seg", read_seg)])
def test_dicom_objects_hold_structures_that_overlap(series: Path, cts: list[Volume], tmp_path: Path, kind, reader):
    assert run(series, tmp_path / "out.dcm", "--export", kind, "--names", "own") == 0
    read = {
        each.name.replace(" ", "_"): each.mask.whole() for each in reader(tmp_path / "out.dcm", read_reference(series))
    }

    masks = masks_of(cts[0].array.shape)
    assert read.keys() == masks.keys()
    for name, mask in masks.items():
        assert np.array_equal(read[name], mask), name


def test_a_label_image_cannot_hold_them(ct: Path, cts: list[Volume], tmp_path: Path, capsys):
    """It is refused before anything is computed where several models are asked; whatever comes, nothing is lost."""
    for suffix in (".nrrd", ".nii.gz"):
        with pytest.raises(SegmentationError) as refused:
            check_output(tmp_path / f"out{suffix}", layers=2)
        assert refused.value.code == "OUTPUT_ONE_LAYER"
    check_output(tmp_path / "out.seg.nrrd", layers=2)

    assert run(ct, tmp_path / "out.nii.gz") == ERRORS["OUTPUT_ONE_LAYER"].exit_code == 192
    assert "EXPORT_RESULT_KEPT" in capsys.readouterr().err
    assert not (tmp_path / "out.nii.gz").exists()
    assert len(read_segmentation(tmp_path / "out.seg.nrrd", None, lambda _warning: None).layers) == 2
