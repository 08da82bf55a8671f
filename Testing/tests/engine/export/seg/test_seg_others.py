"""What others make of our DICOM SEG: dcmqi, highdicom, dciodvfy, on made-up and on real series."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK
from roi_support import (
    ENCODINGS,
    a_reference,
    a_roi,
    assert_same_masks,
    rois_for,
    whole_masks,
)
from rtstruct_support import conformance_errors
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorEngine.export.dicom.reference_series import read_reference
from TotalSegmentatorEngine.export.seg.reader import read_seg
from TotalSegmentatorEngine.export.seg.writer import write_seg
from TotalSegmentatorEngine.imaging.geometry import Geometry

# -- other readers -----------------------------------------------------------------------------------------------------


def read_by_dcmqi(path: Path, folder: Path) -> list[tuple[str, np.ndarray, SimpleITK.Image]]:
    """Name, mask (k, j, i) and image of each segment."""
    pytest.importorskip("dcmqi")
    program = Path(sys.executable).with_name("segimage2itkimage")
    folder.mkdir()
    command = [program, "--inputDICOM", path, "--outputDirectory", folder, "-p", "s", "-t", "nrrd"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    groups = json.loads((folder / "s-meta.json").read_text())["segmentAttributes"]
    found = []
    for number, group in enumerate(groups, start=1):
        image = SimpleITK.ReadImage(str(folder / f"s-{number}.nrrd"))
        array = SimpleITK.GetArrayFromImage(image)
        found += [(segment["SegmentLabel"], array == segment["labelID"], image) for segment in group]
    return found


def at_its_place(mask: np.ndarray, image: SimpleITK.Image, grid: Geometry) -> np.ndarray:
    """``mask`` of an image that may be cropped or flipped along the slices, on the CT's grid by its positions."""
    to_index = np.linalg.inv(grid.ijk_to_lps)
    whole = np.zeros(grid.shape, bool)
    k, j, i = np.nonzero(mask)
    points = [image.TransformIndexToPhysicalPoint((int(x), int(y), int(z))) for x, y, z in zip(i, j, k, strict=True)]
    exact = np.column_stack([points, np.ones(len(points))]) @ to_index.T
    index = np.round(exact[:, :3]).astype(int)
    np.testing.assert_allclose(exact[:, :3], index, atol=0.01)
    whole[index[:, 2], index[:, 1], index[:, 0]] = True
    return whole


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("position", ["HFS", "FFP"])
def test_dcmqi_reads_the_same_masks(tmp_path: Path, position: str, encoding: str) -> None:
    reference = a_reference(tmp_path / "ct", position)
    rois = rois_for(encoding, reference.grid.shape)
    write_seg(tmp_path / "seg.dcm", rois, reference, encoding)
    found = read_by_dcmqi(tmp_path / "seg.dcm", tmp_path / "out")
    assert [name for name, _mask, _image in found] == [roi.name for roi in rois]
    for (_name, mask, image), expected in zip(found, whole_masks(rois), strict=True):
        np.testing.assert_array_equal(at_its_place(mask, image, reference.grid), expected)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_highdicom_reads_the_same_masks(tmp_path: Path, encoding: str) -> None:
    import highdicom

    reference = a_reference(tmp_path / "ct")
    rois = rois_for(encoding)
    write_seg(tmp_path / "seg.dcm", rois, reference, encoding)
    segmentation = highdicom.seg.segread(tmp_path / "seg.dcm")
    uids = [plane.sop_instance_uid for plane in reference.planes]
    pixels = segmentation.get_pixels_by_source_instance(
        uids, segment_numbers=[1, 2], assert_missing_frames_are_empty=True
    )
    for number, mask in enumerate(whole_masks(rois)):
        np.testing.assert_array_equal(pixels[..., number], mask)


@pytest.mark.parametrize("position", ["HFS", "HFDL"])
def test_dciodvfy_finds_no_error(tmp_path: Path, position: str) -> None:
    """Label Map Segmentation is younger than the tool, which does not know it."""
    reference = a_reference(tmp_path / "ct", position)
    rois = rois_for("binary", reference.grid.shape)
    unknown = a_roi(3, "Mask", whole_masks(rois)[0], algorithm="", algorithm_name="", description="Origin unknown")
    write_seg(tmp_path / "seg.dcm", [*rois, unknown], reference)
    assert conformance_errors(tmp_path / "seg.dcm") <= conformance_errors(reference.planes[0].path)


@pytest.mark.shared
@pytest.mark.parametrize("series", ["example_ct_dicom", "cip_ct64/ct-64Dicom", "sts_001/dicom"])
def test_dciodvfy_finds_no_error_of_ours_on_real_series(tmp_path: Path, shared: Path, series: str) -> None:
    reference = read_reference(shared / "data" / series)
    organ = np.zeros(reference.grid.shape, bool)
    organ[3:-2, 10:40, 12:30] = True
    write_seg(tmp_path / "seg.dcm", [a_roi(1, "Liver", organ)], reference)
    assert conformance_errors(tmp_path / "seg.dcm") <= conformance_errors(reference.planes[0].path)


@pytest.mark.shared
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("series", ["example_ct_dicom", "cip_ct64/ct-64Dicom"])
def test_real_series(tmp_path: Path, shared: Path, series: str, encoding: str) -> None:
    """One has no study, series and instance UIDs in its data sets, the other spoilt text values."""
    reference = read_reference(shared / "data" / series)
    organ = np.zeros(reference.grid.shape, bool)
    organ[3:-2, 10:40, 12:30] = True
    rois = [replace(a_roi(1, "Liver", organ), voxels=lambda: VoxelMask.cropped(organ))]
    write_seg(tmp_path / "seg.dcm", rois, reference, encoding)
    assert_same_masks(read_seg(tmp_path / "seg.dcm", reference), rois)
    dataset = pydicom.dcmread(tmp_path / "seg.dcm")
    assert dataset.StudyInstanceUID and dataset.FrameOfReferenceUID == reference.frame_of_reference_uid
    named = {image.ReferencedSOPInstanceUID for image in dataset.SourceImageSequence}
    assert named == {plane.sop_instance_uid for plane in reference.planes} and "" not in named
