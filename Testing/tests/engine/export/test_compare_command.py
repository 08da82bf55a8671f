"""The command compare: CTs of any kind, segmentations from files and from Slicer, and what is left out."""

from __future__ import annotations

import csv
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from export_case import GRID, SHAPE, Case, error_code, spoiled_ct
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.imaging.label_files import FileSegment, write_nrrd
from TotalSegmentatorWire.errors.problem import ERRORS
from TotalSegmentatorWire.messages.comparison import COLUMNS, DICE, HAUSDORFF95, OUR_VOLUME, OURS, THEIRS
from TotalSegmentatorWire.messages.export import (
    SEGMENTATION_HEADER,
    SegmentationHeader,
    TransferredLayer,
    TransferredSegment,
    segmentation_header_to_json,
)


def compare(*words: object) -> int:
    return main(["compare", *map(str, words)])


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        rows = list(reader)
    assert tuple(reader.fieldnames) == COLUMNS
    return rows


def image_ct(folder: Path) -> Path:
    """The case's CT as an image file, which refers to no series."""
    array = np.full(SHAPE, -1000, np.int16)
    array[:, 4:36, 5:43] = 40
    path = folder / "ct.nii.gz"
    nibabel.Nifti1Image(array.T, GRID.ijk_to_ras).to_filename(path)
    return path


@pytest.fixture
def smaller(case: Case) -> Path:
    """The case's segmentation with a smaller liver, and another structure for the tumour."""
    liver = case.liver.copy()
    liver[5:] = False
    segments = [
        FileSegment("liver", "liver", (1, 2, 3), 1, (0,) * 6, 0),
        FileSegment("kidney_right", "kidney right", (1, 2, 3), 2, (0,) * 6, 0),
        FileSegment("Segment_1", "Oedema", (1, 2, 3), 1, (0,) * 6, 1),
    ]
    path = case.folder / "smaller.seg.nrrd"
    first = liver.astype(np.uint8) + 2 * case.kidney.astype(np.uint8)
    with path.open("wb") as stream:
        write_nrrd(stream, [first, case.tumour.astype(np.uint8)], GRID, segments)
    return path


def liver_dice(case: Case) -> float:
    whole, common = np.count_nonzero(case.liver), np.count_nonzero(case.liver[:5])
    return 2 * common / (whole + common)


# -- the CT ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["series", "image", "none"])
def test_segmentation_files_are_compared_on_any_ct(case: Case, smaller: Path, tmp_path: Path, kind: str, capsys):
    reference = {"series": ["--reference", case.ct], "image": ["--reference", image_ct(tmp_path)], "none": []}[kind]
    assert compare(case.segmentation, smaller, *reference, "--csv", tmp_path / "table.csv") == 0
    rows = table(tmp_path / "table.csv")
    assert [(row[OURS], row[THEIRS]) for row in rows] == [
        ("liver", "liver"),  # the worst
        ("kidney right", "kidney right"),
        ("My tumour", ""),
        ("", "Oedema"),
    ]
    assert float(rows[0][DICE]) == pytest.approx(liver_dice(case), abs=1e-4)
    voxel_ml = 0.9 * 0.9 * 2.5 / 1000
    assert float(rows[0][OUR_VOLUME]) == pytest.approx(np.count_nonzero(case.liver) * voxel_ml, abs=1e-3)
    assert (rows[2][DICE], rows[2][HAUSDORFF95]) == ("", "")
    printed = capsys.readouterr().out
    assert "nan" not in printed.lower()
    assert printed.splitlines()[1].startswith("liver")


@pytest.mark.parametrize("kind", ["image", "none"])
def test_dicom_structures_need_the_series(case: Case, tmp_path: Path, kind: str, capsys):
    assert case.run("--to", "rtstruct", tmp_path / "rs.dcm") == 0
    reference = ["--reference", image_ct(tmp_path)] if kind == "image" else []
    for sides in ((case.segmentation, tmp_path / "rs.dcm"), (tmp_path / "rs.dcm", case.segmentation)):
        capsys.readouterr()
        assert compare(*sides, *reference) == ERRORS["COMPARISON_NEEDS_SERIES"].exit_code
        assert error_code(capsys) == "COMPARISON_NEEDS_SERIES"


def test_ct_that_is_not_there_is_reported(case: Case, smaller: Path, tmp_path: Path, capsys):
    assert compare(case.segmentation, smaller, "--reference", tmp_path / "absent.nii.gz") != 0
    assert error_code(capsys) == "INPUT_NOT_FOUND"


# -- segmentations of Slicer's scene -----------------------------------------------------------------------------------


def hand_over(
    folder: Path, layers: list[tuple[np.ndarray, Geometry]], segments: list[tuple[str, int, int]], files=()
) -> Path:
    """What the panel writes: ``segments`` are name, layer and label; ``files`` those of the CT's series."""
    folder.mkdir()
    for number, (array, _geometry) in enumerate(layers):
        (folder / f"layer-{number}.raw").write_bytes(np.ascontiguousarray(array).tobytes())
    header = SegmentationHeader(
        layers=[
            TransferredLayer(
                f"layer-{n}.raw", list(array.shape), array.dtype.name, geometry.ijk_to_ras.ravel().tolist()
            )
            for n, (array, geometry) in enumerate(layers)
        ],
        segments=[TransferredSegment(name, name, [1, 2, 3], layer, label) for name, layer, label in segments],
        ct_shape=list(SHAPE),
        ct_ijk_to_ras=GRID.ijk_to_ras.ravel().tolist(),
        ct_instance_uids=[str(pydicom.dcmread(path).SOPInstanceUID) for path in files],
        ct_files=[str(path) for path in files],
    )
    (folder / SEGMENTATION_HEADER).write_text(segmentation_header_to_json(header), encoding="utf-8")
    return folder


def of_case(case: Case, folder: Path, files=()) -> Path:
    """Liver and kidney in one layer, the tumour over them in another."""
    layers = [
        (case.liver.astype(np.uint8) + 2 * case.kidney.astype(np.uint8), GRID),
        (case.tumour.astype(np.uint8), GRID),
    ]
    return hand_over(folder, layers, [("liver", 0, 1), ("kidney", 0, 2), ("tumour", 1, 1)], files)


def scene_rows(ours: Path, theirs: Path, folder: Path) -> list[dict[str, str]]:
    assert main(["compare", "--transferred", str(ours), str(theirs), "--csv", str(folder / "table.csv")]) == 0
    return table(folder / "table.csv")


@pytest.mark.parametrize("has_series", [False, True])
def test_two_segmentations_of_the_scene(case: Case, tmp_path: Path, has_series: bool):
    """Overlapping structures in two layers against edited ones, in a layer of another extent each."""
    files = sorted(case.ct.iterdir()) if has_series else ()
    liver = case.liver.copy()
    liver[5:] = False
    box = (slice(1, 9), slice(6, 30), slice(6, 40))
    offset = np.eye(4)
    offset[:3, 3] = [6, 6, 1]
    cut = Geometry(liver[box].shape, GRID.ijk_to_ras @ offset)
    layers = [(mask[box].astype(np.uint8), cut) for mask in (liver, case.tumour)]
    theirs = hand_over(tmp_path / "theirs", layers, [("Liver", 0, 1), ("tumour", 1, 1)], files)
    rows = scene_rows(of_case(case, tmp_path / "ours", files), theirs, tmp_path)
    assert [(row[OURS], row[THEIRS]) for row in rows] == [("liver", "Liver"), ("tumour", "tumour"), ("kidney", "")]
    assert float(rows[0][DICE]) == pytest.approx(liver_dice(case), abs=1e-4)
    assert float(rows[1][DICE]) == 1.0


def test_segmentation_on_a_finer_grid_is_resampled_with_a_warning(case: Case, tmp_path: Path, capsys):
    """Every voxel as eight: the boundary stays where it was."""
    fine = np.kron(case.liver, np.ones((2, 2, 2), bool)).astype(np.uint8)
    half = np.diag([0.5, 0.5, 0.5, 1.0])
    half[:3, 3] = -0.25
    theirs = hand_over(tmp_path / "theirs", [(fine, Geometry(fine.shape, GRID.ijk_to_ras @ half))], [("liver", 0, 1)])
    rows = scene_rows(of_case(case, tmp_path / "ours"), theirs, tmp_path)
    assert float(rows[0][DICE]) > 0.98
    assert "COMPARISON_RESAMPLED" in capsys.readouterr().err


def test_structure_beyond_the_ct_is_left_out_by_name(case: Case, tmp_path: Path, capsys):
    around = np.pad(case.liver.astype(np.uint8), ((0, 0), (0, 0), (0, 5)))
    around[6, 6, -3:] = 2
    wider = Geometry(around.shape, GRID.ijk_to_ras)
    theirs = hand_over(tmp_path / "theirs", [(around, wider)], [("liver", 0, 1), ("couch", 0, 2)])
    rows = scene_rows(of_case(case, tmp_path / "ours"), theirs, tmp_path)
    assert float(rows[0][DICE]) == 1.0
    assert "Structures that extend beyond the CT were left out: couch." in capsys.readouterr().err
    alone = hand_over(tmp_path / "alone", [(around, wider)], [("couch", 0, 2)])
    words = ["compare", "--transferred", str(tmp_path / "ours"), str(alone)]
    assert main(words) == ERRORS["EXPORT_GEOMETRY_DIFFERS"].exit_code


def test_tilted_series_serves_a_segmentation_of_the_scene_but_no_structure_set(case: Case, tmp_path: Path, capsys):
    assert case.run("--to", "rtstruct", tmp_path / "rs.dcm") == 0

    def tilt(dataset: pydicom.Dataset, number: int) -> None:
        x, y, z = map(float, dataset.ImagePositionPatient)
        dataset.ImagePositionPatient = [x, y + number, z]

    files = sorted(spoiled_ct(case, tilt).iterdir())
    ours, theirs = (of_case(case, tmp_path / name, files) for name in ("ours", "theirs"))
    rows = scene_rows(ours, theirs, tmp_path)
    assert [row[DICE] for row in rows] == ["1.0000"] * 3
    assert "COMPARISON_ON_VOLUME" in capsys.readouterr().err
    words = ["compare", "--transferred", str(ours), str(tmp_path / "rs.dcm")]
    assert main(words) == ERRORS["INPUT_GANTRY_TILT"].exit_code
