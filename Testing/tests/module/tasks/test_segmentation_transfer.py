"""The hand-over of a segmentation to an export: what Slicer holds is what the export reads, voxel for voxel."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
import vtk
from export_user import SHAPE, add_segment, blocks
from TotalSegmentatorEngine.export.sources.slicer_transfer import (
    transferred_ct,
)
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorWire.errors.problem import SegmentationError
from transfer_scene import GRID, add_balls, first_two

OBLIQUE = np.array([[-0.79, 0.05, 0.3, 100.0], [0.02, -0.8, 0.1, 120.0], [0.12, 0.02, 2.4, -300.0], [0, 0, 0, 1.0]])


def shift(*millimetres):
    matrix = np.eye(4)
    matrix[:3, 3] = millimetres
    return matrix


# -- layers ------------------------------------------------------------------------------------------------------------


def test_shared_layer_crosses_once(scene):
    segmentation, header = scene.hand_over()

    assert len(header.layers) == 1
    assert np.array_equal(segmentation.layers[0].array, blocks())
    assert [segment.label for segment in segmentation.segments] == [1, 2]
    assert segmentation.segments[0].structure.name == segmentation.segments[0].id
    assert np.allclose(segmentation.layers[0].geometry.ijk_to_ras, GRID)
    assert np.allclose(header.ct_ijk_to_ras, GRID.ravel())
    assert header.ct_shape == list(SHAPE)
    assert (header.ct_voxels, header.ct_files) == ("", [])


def test_names_colours_and_tags_cross(scene):
    first, _second = first_two(scene.node)
    segment = scene.node.GetSegmentation().GetSegment(first)
    segment.SetName("my \u00dcberschrift")
    segment.SetColor(1.0, 0.5, 0.0)
    segmentation, _header = scene.hand_over([first])

    (sent,) = segmentation.segments
    assert (sent.name, sent.colour) == ("my \u00dcberschrift", (255, 128, 0))
    assert sent.tags["TotalSegmentatorModule.ReviewState"] == "unreviewed"
    assert sent.tags["TotalSegmentatorModule.Model"] == "self-test"
    assert sent.tags["TerminologyEntry"].startswith("Segmentation category")
    assert sent.tags["DICOM.SegmentAlgorithmType"] == "AUTOMATIC"


def test_overlap_and_extents_of_their_own_lose_no_voxel(scene):
    beyond = add_segment(scene.node, "beyond", np.ones((3, 4, 5), np.uint8), scene.ct, start=(-1, -2, 17))
    small = add_segment(scene.node, "small", np.ones((2, 2, 2), np.uint8), scene.ct, start=(4, 5, 6))
    segmentation, header = scene.hand_over()

    assert [layer.shape for layer in header.layers] == [list(SHAPE), [3, 4, 5], [2, 2, 2]]
    geometry = segmentation.layers[segmentation.segments[2].layer].geometry
    assert np.allclose(geometry.ijk_to_ras @ [0, 0, 0, 1], GRID @ [17, -2, -1, 1])  # in the CT's own indices
    assert beyond in [segment.id for segment in segmentation.segments]
    ids = [*first_two(scene.node), small]
    for segment_id, voxels in scene.placed(ids).items():
        assert np.array_equal(voxels, scene.in_slicer(segment_id)), segment_id
    assert scene.in_slicer(small).sum() == 8


def test_edited_with_overlap_allowed_nothing_is_lost(scene, app):
    """Slicer's own Segment Editor adds a brush that overlaps the neighbour, as with "Allow overlap"."""
    first, second = first_two(scene.node)
    before = {each: int(scene.in_slicer(each).sum()) for each in (first, second)}
    editor_node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
    editor_node.SetOverwriteMode(slicer.vtkMRMLSegmentEditorNode.OverwriteNone)
    editor = slicer.vtkSlicerSegmentEditorLogic()
    editor.SetMRMLScene(slicer.mrmlScene)
    editor.SetSegmentEditorNode(editor_node)
    editor.SetSegmentationNode(scene.node)
    editor.SetSourceVolumeNode(scene.ct)
    brush = np.zeros(SHAPE, np.uint8)
    brush[3:6, 4:8, 8:13] = 1
    from TotalSegmentatorModuleLib.scene.segmentation_import import LabelImage

    image = LabelImage(SHAPE)
    image.array[:] = brush
    add = slicer.vtkSlicerSegmentEditorLogic.ModificationModeAdd
    editor.ModifySegmentByLabelmap(scene.node, first, image.oriented(GRID), add, False, False)
    editor.SetSegmentationNode(None)
    assert scene.node.GetSegmentation().GetNumberOfLayers() == 2

    placed = scene.placed()

    for segment_id in (first, second):
        assert np.array_equal(placed[segment_id], scene.in_slicer(segment_id))
    assert placed[second].sum() == before[second]
    assert placed[first].sum() == np.count_nonzero((blocks() == 1) | (brush == 1))
    assert (placed[first] & placed[second]).any()


def test_labels_above_a_byte_keep_their_type(scene):
    from TotalSegmentatorModuleLib.scene.segmentation_import import LabelImage

    image = LabelImage(SHAPE).oriented(GRID)
    scalars = vtk.util.numpy_support.numpy_to_vtk((blocks().astype(np.int16) * 700).ravel(), deep=True)
    image.GetPointData().SetScalars(scalars)
    segment = slicer.vtkSegment()
    segment.SetLabelValue(1400)
    segment.AddRepresentation("Binary labelmap", image)
    scene.node.GetSegmentation().AddSegment(segment, "far")
    segmentation, header = scene.hand_over(["far"])

    assert header.layers[0].dtype == "int16"
    assert np.array_equal(segmentation.layers[0].array == 1400, blocks() == 2)


def test_empty_segment_crosses_without_a_voxel(scene):
    scene.node.GetSegmentation().AddEmptySegment("later", "drawn later")
    placed = scene.placed()

    assert not placed["later"].any()
    assert placed[first_two(scene.node)[0]].any()


def test_surfaces_get_voxels_in_a_copy(scene):
    node = add_balls(scene)

    placed = scene.placed()

    volume = abs(np.linalg.det(GRID[:3, :3]))
    for radius, name in ((4.0, "tumour"), (6.0, "margin")):
        assert placed[name].sum() * volume == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.1)
    assert placed["margin"][placed["tumour"]].all()
    assert node.GetSegmentation().GetSegment("tumour").GetRepresentation("Binary labelmap") is None


# -- where it lies -----------------------------------------------------------------------------------------------------


def test_transform_of_the_segmentation_alone_moves_it(scene):
    first, _second = first_two(scene.node)
    scene.under(scene.node, matrix=shift(-1.6, 0, 2.5))  # two columns and one slice

    voxels = scene.placed([first])[first]

    expected = np.zeros(SHAPE, bool)
    expected[3:9, 3:9, 6:12] = True
    assert np.array_equal(voxels, expected)


def test_transform_of_the_ct_alone_moves_it_the_other_way(scene):
    first, _second = first_two(scene.node)
    outer = scene.under(scene.ct, matrix=shift(-0.8, 0, 0))
    scene.under(outer, matrix=shift(-0.8, 0, 2.5))

    voxels = scene.placed([first])[first]

    expected = np.zeros(SHAPE, bool)
    expected[1:7, 3:9, 2:8] = True
    assert np.array_equal(voxels, expected)


def test_rotation_is_folded_into_the_geometry(scene):
    turn = np.eye(4)
    turn[:2, :2] = [[0.8, -0.6], [0.6, 0.8]]
    scene.under(scene.node, matrix=turn)
    scene.under(scene.ct, matrix=OBLIQUE)
    segmentation, _header = scene.hand_over()

    geometry: Geometry = segmentation.layers[0].geometry
    assert np.allclose(OBLIQUE @ geometry.ijk_to_ras, turn @ GRID)  # the same place in the world


@pytest.mark.parametrize("with_linear_below", [False, True])
def test_common_nonlinear_transform_does_not_matter(scene, with_linear_below):
    bent = scene.under(scene.ct, "vtkMRMLGridTransformNode")
    warp = vtk.vtkThinPlateSplineTransform()
    bent.SetAndObserveTransformFromParent(warp)
    assert not bent.IsLinear()
    scene.node.SetAndObserveTransformNodeID(bent.GetID())
    if with_linear_below:
        scene.under(scene.node, matrix=shift(0, 0, 2.5)).SetAndObserveTransformNodeID(bent.GetID())
    first, _second = first_two(scene.node)

    voxels = scene.placed([first])[first]

    assert np.array_equal(voxels, np.roll(blocks() == 1, int(with_linear_below), axis=0))


@pytest.mark.parametrize("whose", ["node", "ct"])
def test_nonlinear_transform_of_one_alone_is_refused(scene, whose):
    bent = scene.under(getattr(scene, whose), "vtkMRMLGridTransformNode")
    bent.SetAndObserveTransformFromParent(vtk.vtkThinPlateSplineTransform())

    with pytest.raises(SegmentationError) as refused:
        scene.hand_over()
    assert refused.value.code == "EXPORT_NONLINEAR_TRANSFORM"


# -- the CT ------------------------------------------------------------------------------------------------------------


def test_voxels_of_the_ct_cross_when_asked_for(scene):
    from TotalSegmentatorModuleLib.tasks.segmentation_transfer import CtIdentity

    _segmentation, header = scene.hand_over(identity=CtIdentity(sends_voxels=True))

    volume = transferred_ct(scene.folder, header)
    assert np.array_equal(volume.array, slicer.util.arrayFromVolume(scene.ct))
    assert np.allclose(volume.geometry.ijk_to_ras, GRID)


def test_instances_cross_with_their_files(scene):
    from TotalSegmentatorModuleLib.tasks.segmentation_transfer import CtIdentity

    _segmentation, header = scene.hand_over(identity=CtIdentity(("1.2", "1.3"), ("/a.dcm", "/b.dcm")))

    assert (header.ct_instance_uids, header.ct_files) == (["1.2", "1.3"], ["/a.dcm", "/b.dcm"])


def test_only_files_that_are_there_count(scene, monkeypatch, tmp_path):
    from TotalSegmentatorModuleLib.scene.dicom.files import InstanceSearch

    here = tmp_path / "1.1.dcm"
    here.write_bytes(b"")
    paths = {"1.1": str(here), "1.2": str(tmp_path / "moved away.dcm"), "1.3": ""}
    database = type("Database", (), {"isOpen": True, "fileForInstance": lambda self, uid: paths[uid]})()
    monkeypatch.setattr(slicer, "dicomDatabase", database)
    scene.ct.SetAttribute("DICOM.instanceUIDs", "1.1 1.2 1.3")
    search = InstanceSearch(scene.ct)
    while not search.finished:
        search.step(0.0)

    assert (search.files, search.missing) == ([str(here)], 2)
