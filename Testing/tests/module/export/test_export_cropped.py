"""A segmentation that was made on a crop of a CT goes out onto the whole CT: Slicer's Crop Volume, the real program."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import pydicom
import slicer
import vtk
from export_support import labels_on, with_identifiers, write_ct_series
from export_user import add_segment
from TotalSegmentatorEngine.export.dicom.reference_series import read_reference
from TotalSegmentatorEngine.export.rtstruct.reader import read_rtstruct
from TotalSegmentatorEngine.export.seg.reader import read_seg
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorWire.tables.review_state import SLICER_STATUS_TAG

pytestmark = pytest.mark.slow  # every export is a process that imports NumPy, SciPy and pydicom

MATRIX = np.array([[-2.0, 0, 0, 60.0], [0, -2.0, 0, 50.0], [0, 0, 3.0, -90.0], [0, 0, 0, 1]])
SHAPE = (24, 40, 48)
LOW, HIGH = np.array([6, 8, 4]), np.array([20, 34, 40])
"""k, j, i of the crop's first voxel, and behind its last one."""


def body(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(-20, 20, SHAPE)
    array = np.full(SHAPE, -1000, np.int16)
    array[:, 4:-4, 4:-4] = noise[:, 4:-4, 4:-4]
    return array


def series(folder, array: np.ndarray, description: str = "Thorax", **attributes):
    same = {"StudyInstanceUID": "1.2.3", "FrameOfReferenceUID": "1.2.3.1", "PatientID": "P1"}
    grid = Geometry(array.shape, MATRIX)
    return write_ct_series(folder, array, grid, SeriesDescription=description, **same, **attributes)


def crop(volume, low=LOW, high=HIGH, output=None):
    """What Slicer's Crop Volume makes of it; a clone unless the user has chosen a node as ``output``."""
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    corners = [matrix.MultiplyPoint([*(np.array(corner)[::-1] - 0.5), 1.0])[:3] for corner in (low, high)]
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    roi.SetCenter(*np.mean(corners, axis=0))
    roi.SetSize(*np.abs(np.subtract(*corners)))
    parameters = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLCropVolumeParametersNode")
    parameters.SetInputVolumeNodeID(volume.GetID())
    parameters.SetROINodeID(roi.GetID())
    parameters.SetVoxelBased(True)
    if output is not None:
        parameters.SetOutputVolumeNodeID(output.GetID())
    assert slicer.modules.cropvolume.logic().Apply(parameters) == 0
    return slicer.mrmlScene.GetNodeByID(parameters.GetOutputVolumeNodeID())


def segment(exporter, part):
    """A result on the crop, and a structure drawn on it that reaches its first slice; returns the node."""
    shape = slicer.util.arrayFromVolume(part).shape
    node = exporter.add_result(part, labels_on(shape), digest="")
    drawn = np.zeros(shape, np.uint8)
    drawn[:3, 2:6, 2:6] = 1
    add_segment(node, "boost", drawn, part)
    node.GetSegmentation().GetSegment("boost").SetTag(SLICER_STATUS_TAG, "inprogress")
    return node


def on_whole(node, part, low=LOW) -> dict[str, np.ndarray]:
    """By segment id the voxels (k, j, i) on the whole CT, as Slicer's crop says where it lies."""
    expected = {}
    for segment_id in node.GetSegmentation().GetSegmentIDs():
        voxels = slicer.util.arrayFromSegmentBinaryLabelmap(node, segment_id, part) != 0
        whole = np.zeros(SHAPE, bool)
        whole[tuple(slice(first, first + size) for first, size in zip(low, voxels.shape, strict=True))] = voxels
        expected[segment_id] = whole
    return expected


@pytest.fixture
def ct(real_exporter, tmp_path):
    real_exporter.series = series(tmp_path / "ct", body())
    return real_exporter.app.load_dicom_series(real_exporter.series)


@pytest.mark.parametrize("into_node", [False, True], ids=["a clone", "a node without attributes"])
def test_a_result_on_a_crop_goes_out_onto_the_whole_ct(real_exporter, ct, into_node):
    output = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "part") if into_node else None
    part = crop(ct, output=output)
    assert slicer.util.arrayFromVolume(part).shape == tuple(HIGH - LOW)
    assert bool(part.GetAttribute("DICOM.instanceUIDs")) is not into_node
    node = segment(real_exporter, part)
    hint = real_exporter.ui.export_task.hintLabel.text
    assert 'a part of "{}". The export is placed on the whole CT'.format(ct.GetName()) in hint

    reference = read_reference(real_exporter.series)
    expected = on_whole(node, part)
    for format_id, read in (("rtstruct", read_rtstruct), ("seg-binary", read_seg)):
        real_exporter.export_as(format_id)
        (path,) = real_exporter.target.glob("*_{}.dcm".format("RTSTRUCT" if format_id == "rtstruct" else "SEG"))
        structures = read(path, reference)
        assert sorted(one.mask.count for one in structures) == sorted(int(mask.sum()) for mask in expected.values())
        for one in structures:
            assert any(np.array_equal(one.mask.whole(), mask) for mask in expected.values()), one.name
        assert {one.name for one in structures} >= {"boost~"}  # the crop's border cuts it, not the CT's
        assert pydicom.dcmread(path).FrameOfReferenceUID == reference.frame_of_reference_uid
    warnings = real_exporter.ui.export_task.warningLabel.text
    assert "marked with ~ in their names: boost~." in warnings and "resampled" not in warnings
    assert not [name for name in real_exporter.written if "CT" in name.split("/")]  # no series of its own


def test_a_crop_whose_ct_has_left_the_scene_still_knows_its_series(real_exporter, ct):
    part = crop(ct)
    node = segment(real_exporter, part)
    expected = on_whole(node, part)
    slicer.mrmlScene.RemoveNode(ct)
    real_exporter.app.process_events()
    hint = real_exporter.ui.export_task.hintLabel.text
    assert "was made from a DICOM series. The export refers to that whole series." in hint

    real_exporter.export_as("rtstruct")
    (path,) = real_exporter.target.glob("*_RTSTRUCT.dcm")
    structures = read_rtstruct(path, read_reference(real_exporter.series))
    for one in structures:
        assert any(np.array_equal(one.mask.whole(), mask) for mask in expected.values()), one.name
    assert "boost~" in {one.name for one in structures}


def test_a_crop_of_a_ct_that_was_moved_goes_out_onto_its_pixels(real_exporter, ct):
    """Slicer's Center Volume moves the CT; its crop lies where the CT is shown."""
    matrix = vtk.vtkMatrix4x4()
    ct.GetIJKToRASMatrix(matrix)
    for axis, shift in enumerate((7.3, -4.1, 11.9)):
        matrix.SetElement(axis, 3, matrix.GetElement(axis, 3) + shift)
    ct.SetIJKToRASMatrix(matrix)
    part = crop(ct)
    node = segment(real_exporter, part)
    real_exporter.export_as("rtstruct")
    (path,) = real_exporter.target.glob("*_RTSTRUCT.dcm")
    expected = on_whole(node, part)
    for one in read_rtstruct(path, read_reference(real_exporter.series)):
        assert any(np.array_equal(one.mask.whole(), mask) for mask in expected.values()), one.name


def test_a_crop_beyond_the_ct_and_one_under_a_transform(real_exporter, ct):
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    part = crop(ct, low=(-4, 8, 4))
    assert slicer.util.arrayFromVolume(part).shape[0] == HIGH[0] + 4
    for volume in (ct, part):
        volume.SetAndObserveTransformNodeID(transform.GetID())
    inside = np.zeros(slicer.util.arrayFromVolume(part).shape, np.uint8)
    inside[8:12, 5:9, 5:9] = 1
    node = real_exporter.add_result(part, inside, digest="")
    real_exporter.export_as("rtstruct")
    (path,) = real_exporter.target.glob("*_RTSTRUCT.dcm")
    (one,) = read_rtstruct(path, read_reference(real_exporter.series))
    expected = np.zeros(SHAPE, bool)
    expected[4:8, 13:17, 9:13] = True
    assert np.array_equal(one.mask.whole(), expected)
    assert node.GetSegmentation().GetNumberOfSegments() == 1


def test_the_series_of_a_crop_without_attributes_is_told_by_its_voxels(real_exporter, ct, tmp_path):
    """Two reconstructions of a scan lie on one grid."""
    from TotalSegmentatorModuleLib.scene.cropped_volumes import whole_volume

    other = real_exporter.app.load_dicom_series(series(tmp_path / "other", body(1), "Thorax lung"))
    for volume in (ct, other):
        empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "part")
        assert whole_volume(crop(volume, output=empty)) is volume
    assert whole_volume(ct) is None
    twin = real_exporter.app.load_dicom_series(series(tmp_path / "twin", body(), "Thorax again"))
    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "part")
    assert whole_volume(crop(twin, output=empty)) is None  # of which of the two it is, nobody knows
    assert whole_volume(crop(twin)) is twin


def test_an_interpolated_crop_is_no_part_of_the_ct(real_exporter, ct):
    from TotalSegmentatorModuleLib.scene.cropped_volumes import whole_volume

    part = slicer.modules.volumes.logic().CloneVolume(slicer.mrmlScene, ct, "resampled")
    slicer.util.updateVolumeFromArray(part, np.zeros((24, 26, 32), np.int16))
    part.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(MATRIX @ np.diag([1.5, 1.5, 1.0, 1.0])))
    assert whole_volume(part) is None
    segment(real_exporter, part)
    real_exporter.click()
    real_exporter.wait_until_ready(120.0)
    assert real_exporter.error_code == "EXPORT_CT_MOVED"
    assert real_exporter.written == []

    real_exporter.ui.export.ctSelector.setCurrentNode(ct)  # as the message asks for
    real_exporter.app.process_events()
    real_exporter.export_as("rtstruct")
    assert "resampled" in real_exporter.ui.export_task.warningLabel.text


def test_other_formats_stay_on_the_crop(real_exporter, ct):
    part = crop(ct)
    segment(real_exporter, part)
    real_exporter.choose(real_exporter.ui.export.formatComboBox, "nifti")
    assert "a part of" not in real_exporter.ui.export_task.hintLabel.text
    real_exporter.export_as("nifti")
    import nibabel

    (path,) = real_exporter.target.glob("*.nii.gz")
    assert nibabel.load(path).shape == tuple((HIGH - LOW)[::-1])


def test_a_script_exports_a_crop_onto_the_whole_ct(real_exporter, ct):
    part = crop(ct)
    node = segment(real_exporter, part)
    logic = slicer.util.getModuleLogic("TotalSegmentatorModule")
    (path,) = logic.export(node, "rtstruct", real_exporter.target / "rs.dcm")
    assert path.name == "rs.dcm"
    expected = on_whole(node, part)
    for one in read_rtstruct(path, read_reference(real_exporter.series)):
        assert any(np.array_equal(one.mask.whole(), mask) for mask in expected.values()), one.name


@pytest.mark.shared
def test_a_crop_of_a_hospitals_ct(real_exporter, shared, tmp_path):
    """Compressed pixels, slices nearer than their thickness says."""
    folder = with_identifiers(shared / "data" / "example_ct_dicom", tmp_path / "ct")
    ct = real_exporter.app.load_dicom_series(folder)
    low = np.array([3, 100, 150])
    part = crop(ct, low=low, high=(18, 400, 420))
    node = segment(real_exporter, part)
    real_exporter.export_as("rtstruct")
    (path,) = real_exporter.target.glob("*_RTSTRUCT.dcm")
    reference = read_reference(folder)
    size = slicer.util.arrayFromVolume(part).shape
    is_reversed = slicer.util.arrayFromVolume(ct).shape[0] and ijk_z(ct) * reference.grid.ijk_to_ras[2, 2] < 0
    for one in read_rtstruct(path, reference):
        found = one.mask.whole()[::-1] if is_reversed else one.mask.whole()
        cut = found[tuple(slice(first, first + length) for first, length in zip(low, size, strict=True))]
        assert cut.sum() == found.sum()
        masks = [slicer.util.arrayFromSegmentBinaryLabelmap(node, each, part) for each in segment_ids(node)]
        assert any(np.array_equal(cut, mask != 0) for mask in masks), one.name


def segment_ids(node) -> list[str]:
    return list(node.GetSegmentation().GetSegmentIDs())


def ijk_z(volume) -> float:
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return matrix.GetElement(2, 2)
