"""A finished result becomes an editable segmentation quickly, and goes quickly."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
import vtk
from desktop import Desktop
from desktop.pythonqt.slot_runtime import own_time
from time_bounds import IMPORT_SECONDS
from TotalSegmentatorWire import ALGORITHM_NAME
from TotalSegmentatorWire.tables.review_state import REVIEW_STATE_TAG
from TotalSegmentatorWire.tables.structures import structure_table

SHAPE = (24, 30, 36)
OBLIQUE = np.array([[-0.9, 0.1, 0.3, 50.0], [0.1, -0.9, 0.2, 60.0], [0.2, 0.1, 2.8, -70.0], [0, 0, 0, 1]])
LEFT_HANDED = np.array([[0.9, 0, 0, -50.0], [0, -0.9, 0, 60.0], [0, 0, 2.5, -70.0], [0, 0, 0, 1]])
BIG_SHAPE = (400, 512, 512)


@pytest.fixture
def app():
    with Desktop() as application:
        yield application
        assert not application.errors


@pytest.fixture
def lib(app):
    """The modules under test; they need ``slicer``, which the stand-in publishes."""
    from TotalSegmentatorModuleLib import self_test
    from TotalSegmentatorModuleLib.scene import output_segmentation, segmentation_import, segmentation_lifetime

    segmentation_lifetime.application_lifetime().start(slicer.mrmlScene)

    class Lib:
        images, lifetime, made_up, outputs = segmentation_import, segmentation_lifetime, self_test, output_segmentation

    return Lib


def add_ct(app, shape=SHAPE, matrix=OBLIQUE, name="CT thorax"):
    return app.add_volume(np.zeros(shape, np.int16), matrix, name)


def result(lib, shape=SHAPE, matrix=OBLIQUE, structures=None, **changes):
    """A made-up result in which all of ``structures`` (104) were found: the label image and its header."""
    structures = structures or structure_table("structures_104")
    image = lib.images.LabelImage(shape)
    lib.made_up.synthetic_labels(image.array, len(structures))
    header = lib.made_up.synthetic_header(shape, matrix, structures)
    return image, dataclasses.replace(header, **changes)


def import_into(lib, ct, output=None, **options):
    image, header = result(lib, **options)
    return lib.images.import_result([image], header, lib.images.ImportTarget(ct, output))


def tag(segment, name: str) -> str:
    value = vtk.reference("")
    assert segment.GetTag(name, value), "no tag " + name
    return str(value)


def seconds_of(function) -> float:
    """Without those spent waiting for a free processor."""
    begun = own_time()
    function()
    return own_time() - begun


# -- what the segments are ---------------------------------------------------------------------------------------------


def test_every_found_structure_is_a_segment_of_one_layer(app, lib):
    node = import_into(lib, add_ct(app))

    segmentation = node.GetSegmentation()
    assert [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())] == [
        structure.name for structure in structure_table("structures_104")
    ]
    assert segmentation.GetNumberOfLayers() == 1


def test_segment_has_name_colour_codes_and_origin(app, lib):
    node = import_into(
        lib, add_ct(app), models=["104-3mm"], profiles={"104-3mm": "totalsegmentator-1.5"}, engine_version="1.2.3"
    )

    kidney = next(s for s in structure_table("structures_104") if s.name == "kidney_left")
    segment = node.GetSegmentation().GetSegment("kidney_left")
    assert segment.GetName() == "kidney left"
    assert segment.GetColor() == pytest.approx([channel / 255 for channel in kidney.colour])
    assert tag(segment, segment.GetTerminologyEntryTagName()) == kidney.terminology
    assert "SCT^64033007^Kidney" in kidney.terminology
    assert tag(segment, "DICOM.SegmentAlgorithmType") == "AUTOMATIC"
    assert tag(segment, "DICOM.SegmentAlgorithmName") == ALGORITHM_NAME
    assert tag(segment, "TotalSegmentatorModule.Model") == "104-3mm"
    assert tag(segment, "TotalSegmentatorModule.Profile") == "totalsegmentator-1.5"
    assert tag(segment, "TotalSegmentatorModule.Version") == "1.2.3"


def test_result_kept_without_volumes_gets_them_from_its_voxels(app, lib):
    from TotalSegmentatorModuleLib.tags.structure_measures import read_measures

    image, header = result(lib)
    found = [dataclasses.replace(each, voxels=2000, volume_ml=None) for each in header.found]

    node = lib.images.import_result(
        [image], dataclasses.replace(header, found=found), lib.images.ImportTarget(add_ct(app))
    )

    expected = 2000 * abs(np.linalg.det(OBLIQUE[:3, :3])) / 1000
    assert read_measures(node.GetSegmentation().GetSegment("liver")).volume_ml == pytest.approx(expected, abs=0.001)


@pytest.mark.parametrize("matrix", [OBLIQUE, LEFT_HANDED], ids=["oblique", "left-handed"])
def test_voxels_lie_where_they_lie_in_the_ct(app, lib, matrix):
    ct = add_ct(app, matrix=matrix)
    image, header = result(lib, matrix=matrix)
    expected = image.array.copy()

    node = lib.images.import_result([image], header, lib.images.ImportTarget(ct))

    for label, name in ((1, "spleen"), (5, "liver"), (104, structure_table("structures_104")[103].name)):
        voxels = slicer.util.arrayFromSegmentBinaryLabelmap(node, name, ct)
        assert np.array_equal(voxels != 0, expected == label), name


def test_absent_structures_make_no_segments(app, lib):
    image, header = result(lib)
    header = dataclasses.replace(header, found=header.found[:3], absent=[found.name for found in header.found[3:]])

    node = lib.images.import_result([image], header, lib.images.ImportTarget(add_ct(app)))

    assert node.GetSegmentation().GetNumberOfSegments() == 3


def test_scalars_have_the_name_that_the_dicom_exporter_looks_for(app, lib):
    node = import_into(lib, add_ct(app))

    image = node.GetSegmentation().GetNthSegment(0).GetRepresentation("Binary labelmap")
    assert image.GetPointData().GetScalars().GetName() == "ImageScalars"


# -- how the node belongs to its CT ------------------------------------------------------------------------------------


def test_segmentation_belongs_to_its_ct(app, lib):
    ct = add_ct(app)
    shift = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "couch shift")
    ct.SetAndObserveTransformNodeID(shift.GetID())
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "planning")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(ct), study)

    node = import_into(lib, ct)

    assert node.GetName() == "CT thorax segmentation"
    assert node.GetTransformNodeID() == shift.GetID()
    assert node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) is ct
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == study
    assert node.GetDisplayNode() is not None


def test_result_without_its_ct_stands_alone(app, lib):
    node = import_into(lib, None)

    image = node.GetSegmentation().GetNthSegment(0).GetRepresentation("Binary labelmap")
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    assert slicer.util.arrayFromVTKMatrix(matrix) == pytest.approx(OBLIQUE)


def test_ct_of_a_result_is_found_by_its_grid(app, lib):
    _, header = result(lib)
    add_ct(app, matrix=LEFT_HANDED, name="another scan")
    ct = add_ct(app)

    assert lib.images.find_ct(header) is ct


def test_a_ct_of_the_same_series_is_preferred_one_of_none_has_to_be_chosen_and_another_is_never_taken(app, lib):
    """What was saved as an image file and loaded again has no series any more."""
    _, header = result(lib)
    saved_again = add_ct(app, name="saved again")
    of_series = dataclasses.replace(header, series_instance_uid="1.2.3")
    assert lib.images.find_ct(of_series, saved_again) is saved_again
    assert lib.images.find_ct(of_series) is None
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    own, other = (add_ct(app, name=name) for name in ("own", "other"))
    for node, uid in ((own, "1.2.3"), (other, "1.2.4")):
        hierarchy.SetItemUID(hierarchy.GetItemByDataNode(node), "DICOM", uid)
    assert lib.images.find_ct(of_series, saved_again) is own
    slicer.mrmlScene.RemoveNode(own)
    slicer.mrmlScene.RemoveNode(saved_again)
    assert lib.images.find_ct(of_series, other) is None


def test_replaced_segmentation_keeps_its_node(app, lib):
    ct = add_ct(app)
    node = import_into(lib, ct)
    node.SetName("my organs")

    again = import_into(lib, ct, output=node, structures=structure_table("structures_104")[:5])

    assert again is node
    assert node.GetName() == "my organs"
    assert node.GetSegmentation().GetNumberOfSegments() == 5
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1


def test_a_result_is_seen_where_the_replaced_one_was_hidden(app, lib):
    ct = add_ct(app)
    node = import_into(lib, ct, structures=structure_table("structures_104")[:3])
    display = node.GetDisplayNode()
    display.SetVisibility(False)
    display.SetAllSegmentsVisibility(False)

    import_into(lib, ct, output=node, structures=structure_table("structures_104")[1:5])

    assert display.GetVisibility()
    ids = [node.GetSegmentation().GetNthSegmentID(n) for n in range(4)]
    assert all(display.GetSegmentVisibility(each) for each in ids)


# -- edits are not lost ------------------------------------------------------------------------------------------------


def test_a_result_that_cannot_be_imported_takes_nothing_away(app, lib):
    ct = add_ct(app)
    node = import_into(lib, ct)
    before = slicer.util.arrayFromSegmentBinaryLabelmap(node, "liver", ct).copy()
    image, header = result(lib)

    with pytest.raises(KeyError):
        target = lib.images.ImportTarget(ct, node)
        lib.images.import_result([image], dataclasses.replace(header, structures=header.structures[:3]), target)

    assert node.GetSegmentation().GetNumberOfSegments() == 104
    assert np.array_equal(slicer.util.arrayFromSegmentBinaryLabelmap(node, "liver", ct), before)


def test_output_that_was_edited_meanwhile_is_not_replaced(app, lib):
    ct = add_ct(app)
    node = import_into(lib, ct)
    untouched, edited = lib.outputs.OutputChoice(node), lib.outputs.OutputChoice(node)
    assert untouched.resolve() is node

    voxels = slicer.util.arrayFromSegmentBinaryLabelmap(node, "liver", ct)
    voxels[0, 0, 0] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(voxels, node, "liver", ct)

    assert edited.resolve() is None


def test_output_that_was_reviewed_meanwhile_is_not_replaced(app, lib):
    node = import_into(lib, add_ct(app))
    shown, reviewed = lib.outputs.OutputChoice(node), lib.outputs.OutputChoice(node)
    node.CreateClosedSurfaceRepresentation()
    assert shown.resolve() is node  # looking at it in 3D changes nothing

    node.GetSegmentation().GetSegment("liver").SetTag(REVIEW_STATE_TAG, "approved")

    assert reviewed.resolve() is None


def test_output_that_was_deleted_meanwhile_is_not_replaced(app, lib):
    node = import_into(lib, add_ct(app))
    choice = lib.outputs.OutputChoice(node)
    slicer.mrmlScene.RemoveNode(node)

    assert choice.resolve() is None


def test_segments_can_be_edited_and_undone_after_a_replacement(app, lib):
    ct = add_ct(app)
    node = import_into(lib, ct)
    import_into(lib, ct, output=node)
    segmentation = node.GetSegmentation()
    history = slicer.vtkSegmentationHistory()
    history.SetSegmentation(segmentation)
    before = slicer.util.arrayFromSegmentBinaryLabelmap(node, "liver", ct).copy()
    spleen = slicer.util.arrayFromSegmentBinaryLabelmap(node, "spleen", ct).copy()

    history.SaveState()
    modifier = slicer.vtkOrientedImageData()
    modifier.DeepCopy(segmentation.GetSegment("liver").GetRepresentation("Binary labelmap"))
    vtk.util.numpy_support.vtk_to_numpy(modifier.GetPointData().GetScalars())[:] = 0
    modifier.SetScalarComponentFromDouble(35, 29, 23, 0, 1)
    slicer.vtkSlicerSegmentationsModuleLogic.SetBinaryLabelmapToSegment(modifier, node, "liver")
    after = slicer.util.arrayFromSegmentBinaryLabelmap(node, "liver", ct)
    assert after[23, 29, 35] == 1
    assert after.sum() == 1

    history.RestorePreviousState()
    assert np.array_equal(slicer.util.arrayFromSegmentBinaryLabelmap(node, "liver", ct), before)
    assert np.array_equal(slicer.util.arrayFromSegmentBinaryLabelmap(node, "spleen", ct), spleen)


# -- time at the size of a large CT ------------------------------------------------------------------------------------


@pytest.mark.slow  # fills a label map of 512 x 512 x 400 several times
def test_import_replacement_and_removal_of_104_structures_are_quick(app, lib):
    ct = app.add_volume(np.zeros(BIG_SHAPE, np.int16), OBLIQUE, "CT")
    nodes = []

    def imported(output=None) -> float:
        image, header = result(lib, BIG_SHAPE)
        target = lib.images.ImportTarget(ct, output)
        return seconds_of(lambda: nodes.append(lib.images.import_result([image], header, target)))

    assert imported() < IMPORT_SECONDS
    assert imported(nodes[0]) < IMPORT_SECONDS
    node = nodes.pop(0)
    nodes.clear()

    def remove() -> None:
        nonlocal node
        slicer.mrmlScene.RemoveNode(node)
        node = None

    assert seconds_of(remove) < IMPORT_SECONDS


@pytest.mark.slow  # fills a label map of 512 x 512 x 400
def test_removal_is_quick_where_the_subject_hierarchy_takes_the_segments_along(app, lib):
    node = import_into(lib, app.add_volume(np.zeros(BIG_SHAPE, np.int16), OBLIQUE, "CT"), shape=BIG_SHAPE)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def remove_segments(_scene, _event, removed):
        """What Slicer's plugin does with the items of the segments before the node goes; the wheel lacks it."""
        if not removed.IsA("vtkMRMLSegmentationNode"):
            return
        segmentation = removed.GetSegmentation()
        for segment_id in [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())]:
            segmentation.RemoveSegment(segment_id)

    slicer.mrmlScene.AddObserver(slicer.vtkMRMLScene.NodeAboutToBeRemovedEvent, remove_segments)

    assert seconds_of(lambda: slicer.mrmlScene.RemoveNode(node)) < IMPORT_SECONDS


@pytest.mark.slow  # fills two label maps of 512 x 512 x 400
def test_closing_a_scene_with_results_is_quick(app, lib):
    ct = app.add_volume(np.zeros(BIG_SHAPE, np.int16), OBLIQUE, "CT")
    for _ in range(2):
        import_into(lib, ct, shape=BIG_SHAPE)
    del ct

    assert seconds_of(lambda: slicer.mrmlScene.Clear(False)) < IMPORT_SECONDS


@pytest.mark.slow  # fills a label map of 512 x 512 x 400
def test_quitting_with_a_result_is_quick_and_keeps_it_until_the_end(app, lib):
    node = import_into(lib, app.add_volume(np.zeros(BIG_SHAPE, np.int16), OBLIQUE, "CT"), shape=BIG_SHAPE)
    lib.lifetime.application_lifetime().keep_until_exit()
    lib.lifetime.application_lifetime().stop()  # Python is gone when Slicer destroys its scene

    assert node.GetSegmentation().GetSegment("liver").GetRepresentation("Binary labelmap") is not None
    del node
    assert seconds_of(lambda: slicer.mrmlScene.Clear(False)) < IMPORT_SECONDS
