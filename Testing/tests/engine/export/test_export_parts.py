"""The command export of a segmentation that was made on a part of the CT: a crop on the CT's own voxels."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from export_case import GRID, Case
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.export.dicom.reference_series import read_reference
from TotalSegmentatorEngine.export.rtstruct.reader import read_rtstruct
from TotalSegmentatorEngine.export.seg.reader import read_seg
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.imaging.label_files import FileSegment, write_nrrd
from TotalSegmentatorWire.errors.problem import ERRORS
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.tables.result_tags import provenance_tags

START = (2, 6, 7)
"""k, j, i of the part's first voxel; its last slice is one of the liver's."""
END = (6, 36, 40)
PART = tuple(slice(low, high) for low, high in zip(START, END, strict=True))


def part_geometry(shift: float = 0.0) -> Geometry:
    offset = np.eye(4)
    offset[:3, 3] = np.array(START[::-1]) + shift
    return Geometry(tuple(np.subtract(END, START)), GRID.ijk_to_ras @ offset)


def written(case: Case, path: Path, has_tags: bool = True, shift: float = 0.0) -> Path:
    """Liver and tumour in the part, as ``segment`` writes them or without a record of how they were made."""
    layers = [mask[PART].astype(np.uint8) for mask in (case.liver, case.tumour)]
    segments = [
        FileSegment("liver", "liver", (221, 130, 101), 1, (0,) * 6, 0),
        FileSegment("Segment_1", "My tumour", (200, 0, 0), 1, (0,) * 6, 1),
    ]
    if has_tags:
        segments[0].tags.update(provenance_tags("104-3mm", "default", "0.1.0", JobOptions().to_json()))
    with path.open("wb") as stream:
        write_nrrd(stream, layers, part_geometry(shift), segments)
    return path


@pytest.mark.parametrize(("to", "read"), [("rtstruct", read_rtstruct), ("seg", read_seg)])
def test_a_part_lies_on_the_whole_series_and_its_border_cuts(case: Case, tmp_path: Path, to: str, read, capsys):
    case.segmentation = written(case, tmp_path / "part.seg.nrrd")
    assert case.run("--to", to, tmp_path / "out.dcm") == 0
    found = {one.name: one.mask.whole() for one in read(tmp_path / "out.dcm", read_reference(case.ct))}
    assert set(found) == {"Liver~", "My tumour~"}
    for name, mask in (("Liver~", case.liver), ("My tumour~", case.tumour)):
        expected = np.zeros_like(mask)
        expected[PART] = mask[PART]
        assert np.array_equal(found[name], expected), name
    printed = capsys.readouterr().err
    assert "EXPORT_CUT" in printed and "EXPORT_RESAMPLED" not in printed


def test_a_part_without_a_record_is_not_taken_for_a_field_of_view(case: Case, tmp_path: Path, capsys):
    """Programs write files that end with their structures."""
    case.segmentation = written(case, tmp_path / "part.seg.nrrd", has_tags=False)
    assert case.run("--to", "rtstruct", tmp_path / "rs.dcm") == 0
    assert "EXPORT_CUT" not in capsys.readouterr().err


def test_slicer_notes_the_image_on_which_it_was_made(case: Case, tmp_path: Path, capsys):
    """As vtkMRMLSegmentationStorageNode writes it: a matrix to RAS, and the extent."""
    path = written(case, tmp_path / "part.seg.nrrd", has_tags=False)
    numbers = [f"{value:g}" for value in GRID.ijk_to_ras.ravel()]
    for extent, is_cut in ((("7", "39", "6", "35", "2", "5"), True), (("0", "47", "0", "39", "0", "9"), False)):
        noted = ";".join([*numbers, *extent]) + ";"
        line = f"Segmentation_ConversionParameters:=Joint smoothing|0|Text.&Reference image geometry|{noted}|Text.&\n"
        content = path.read_bytes().split(b"\n\n", 1)
        noting = tmp_path / f"{is_cut}.seg.nrrd"
        noting.write_bytes(content[0] + b"\n" + line.encode() + b"\n" + content[1])
        case.segmentation = noting
        assert case.run("--to", "rtstruct", tmp_path / f"{is_cut}.dcm") == 0
        assert ("EXPORT_CUT" in capsys.readouterr().err) is is_cut


@pytest.mark.parametrize("noted", ["1;2;3", "x;" * 22, "0;" * 22, "nan;" * 22])
def test_a_damaged_note_does_no_harm(case: Case, tmp_path: Path, noted: str):
    path = written(case, tmp_path / "part.seg.nrrd")
    content = path.read_bytes().split(b"\n\n", 1)
    line = f"Segmentation_ConversionParameters:=Reference image geometry|{noted}|Text.&\n"
    path.write_bytes(content[0] + b"\n" + line.encode() + b"\n" + content[1])
    case.segmentation = path
    assert case.run("--to", "rtstruct", tmp_path / "rs.dcm") == 0


def test_a_label_image_of_a_part_lies_on_the_whole_series(case: Case, tmp_path: Path, capsys):
    labels = case.liver[PART].astype(np.uint8) * 5 + case.kidney[PART].astype(np.uint8) * 2
    case.segmentation = tmp_path / "labels.nii.gz"
    nibabel.Nifti1Image(labels.T, part_geometry().ijk_to_ras).to_filename(case.segmentation)
    assert case.run("--to", "rtstruct", "--labels", "structures_104", tmp_path / "rs.dcm") == 0
    found = {one.name: one.mask.count for one in read_rtstruct(tmp_path / "rs.dcm", read_reference(case.ct))}
    assert found == {"Liver~": case.liver[PART].sum(), "Kidney~_R": case.kidney[PART].sum()}
    assert "EXPORT_RESAMPLED" not in capsys.readouterr().err


def test_a_part_between_the_voxels_is_resampled_and_says_so(case: Case, tmp_path: Path, capsys):
    case.segmentation = written(case, tmp_path / "part.seg.nrrd", shift=0.3)
    assert case.run("--to", "rtstruct", tmp_path / "rs.dcm") == 0
    assert "EXPORT_RESAMPLED" in capsys.readouterr().err


def test_a_part_of_another_ct_is_refused(case: Case, tmp_path: Path):
    case.segmentation = written(case, tmp_path / "part.seg.nrrd", shift=200.0)
    assert case.run("--to", "rtstruct", tmp_path / "rs.dcm") == ERRORS["EXPORT_GEOMETRY_DIFFERS"].exit_code


@pytest.mark.shared
def test_a_part_of_a_hospitals_ct(shared, tmp_path: Path):
    """A volume that was cropped in another program, segmented, and is to go onto the series that it came from."""
    reference = read_reference(shared / "data" / "cip_ct64")
    grid = reference.grid
    start, end = (10, 8, 5), (60, 50, 58)
    offset = np.eye(4)
    offset[:3, 3] = start[::-1]
    shape = tuple(np.subtract(end, start))
    labels = np.zeros(shape, np.uint8)
    labels[5:30, 10:30, 0:20] = 5  # reaches the part's border
    labels[5:30, 10:30, 25:40] = 1
    image = tmp_path / "labels.nii.gz"
    nibabel.Nifti1Image(labels.T, grid.ijk_to_ras @ offset).to_filename(image)
    words = ["export", image, tmp_path / "rs.dcm", "--to", "rtstruct", "--labels", "structures_104"]
    assert main([*map(str, words), "--reference", str(shared / "data" / "cip_ct64")]) == 0
    found = {one.name: one.mask for one in read_rtstruct(tmp_path / "rs.dcm", reference)}
    assert set(found) == {"Liver~", "Spleen"}
    assert found["Spleen"].box == (slice(15, 40), slice(18, 38), slice(30, 45))
