"""What the views show of the chosen structure, and that the user's own display settings come back."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import numpy as np
import slicer
import vtk
from review_support import WRONG_PLACE
from TotalSegmentatorWire.messages.review import Flag, Level


def opacities(node, segment_id: str) -> list[float]:
    display = node.GetDisplayNode()
    return [
        display.GetSegmentOpacity2DFill(segment_id),
        display.GetSegmentOpacity2DOutline(segment_id),
        display.GetSegmentOpacity3D(segment_id),
    ]


def all_settings(node) -> dict:
    ids = node.GetSegmentation().GetSegmentIDs()
    display = node.GetDisplayNode()
    shown = {each: (display.GetSegmentVisibility(each), *opacities(node, each)) for each in ids}
    return {**shown, "": display.GetVisibility()}


def show_place(reviewer, place) -> None:
    """As the remark of a structure tells it, whose row is clicked."""
    flag = Flag("second_opinion", Level.WRONG, "kidney_right", (), place, {"volume_ml": 9, "distance_mm": 6})
    reviewer.segment("kidney_right").SetTag("TotalSegmentatorModule.Flags", json.dumps([flag.to_json("Look here.")]))
    reviewer.settle()
    reviewer.click_row("kidney right")


def inside(reviewer, segment_id: str, place) -> bool:
    """Whether a place in the world lies in a segment, by the voxels."""
    voxels = slicer.util.arrayFromSegmentBinaryLabelmap(reviewer.node, segment_id, reviewer.ct)
    matrix = vtk.vtkMatrix4x4()
    reviewer.ct.GetRASToIJKMatrix(matrix)
    i, j, k = (round(x) for x in matrix.MultiplyPoint((*place, 1.0))[:3])
    return bool(voxels[k, j, i])


def test_choosing_a_row_turns_the_slices_to_the_remarks_place(ready):
    ready.click_row("kidney right")
    assert np.allclose(ready.slice_centre(), WRONG_PLACE)


def test_choosing_a_row_cuts_the_visible_structures_once_for_the_slice_views(ready):
    """Slicer cuts them at each change of a slice and of the display, whose visibility it reads anew each time."""
    display, slices = ready.node.GetDisplayNode(), slicer.util.getNodesByClass("vtkMRMLSliceNode")
    cut = []
    ready.click_row("kidney right")
    for node in (display, *slices):
        node.AddObserver("ModifiedEvent", lambda node, _event: cut.append(node) if display.GetVisibility() else None)
    ready.click_row("gallbladder")
    assert cut == [display]
    assert ready.slice_centre() != pytest.approx(WRONG_PLACE)
    assert "gallbladder" in ready.visible()


@pytest.mark.parametrize("zoom", [0.5, 1.0, 3.0])
def test_no_more_than_a_quarter_of_a_slice_view_is_empty_beside_a_larger_scan(ready, zoom):
    slices = ("Red", "Green", "Yellow")
    bounds = np.zeros(6)
    ready.ct.GetRASBounds(bounds)
    low, high = bounds[0::2], bounds[1::2]
    place = [round(float(value), 1) for value in (low[0] + 4, *(high[1:] - 3))]  # near three sides of the CT
    for name in slices:
        logic = ready.slice_view(name).sliceLogic()
        logic.GetSliceCompositeNode().SetBackgroundVolumeID(ready.ct.GetID())
        logic.GetSliceNode().SetFieldOfView(100.0 / zoom, 80.0 / zoom, 1.0)
    show_place(ready, place)
    for name in slices:
        node = ready.slice_view(name).mrmlSliceNode()
        matrix = slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS())
        normal = int(np.argmax(np.abs(matrix[:3, 2])))
        assert matrix[normal, 3] == pytest.approx(place[normal])
        for column in (0, 1):
            axis, view = int(np.argmax(np.abs(matrix[:3, column]))), node.GetFieldOfView()[column]
            ends = matrix[axis, 3] - view / 2, matrix[axis, 3] + view / 2
            assert ends[0] < place[axis] < ends[1]
            scan = high[axis] - low[axis]
            empty = max(0.0, low[axis] - ends[0]) + max(0.0, ends[1] - high[axis])
            assert empty <= 0.251 * view if scan >= view else empty <= view - 0.749 * scan
            assert abs(matrix[axis, 3] - place[axis]) <= 0.251 * min(view, scan)


def test_a_structure_without_a_place_is_shown_at_its_middle(ready):
    ready.open_group("No remarks")
    for name in ("liver", "kidney left"):
        ready.click_row(name)
        assert inside(ready, name.replace(" ", "_"), ready.slice_centre())


def test_a_curved_structure_is_shown_where_it_is(ready):
    image = ready.segment("liver").GetRepresentation("Binary labelmap")
    voxels = vtk.util.numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    voxels = voxels.reshape(tuple(reversed(image.GetDimensions())))
    places = np.argwhere(voxels == ready.segment("liver").GetLabelValue())
    middle = places[:, 2].mean()
    voxels[tuple(places[np.abs(places[:, 2] - middle) < 4].T)] = 0  # two slabs are left, the middle is empty
    ready.open_group("No remarks")
    ready.click_row("liver")
    assert inside(ready, "liver", ready.slice_centre())


def test_places_follow_a_transform_of_the_segmentation(ready):
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 25.0)
    transform.SetMatrixTransformToParent(matrix)
    for node in (ready.node, ready.ct):
        node.SetAndObserveTransformNodeID(transform.GetID())
    ready.click_row("kidney right")
    assert np.allclose(ready.slice_centre(), np.add(WRONG_PLACE, (25.0, 0, 0)))


def test_show_returns_to_the_place_of_a_remark(ready):
    ready.click_row("kidney right")
    slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, 0, 0, 0)
    show = ready.user.ui.review_remarks[0].showButton
    ready.app.click(show)
    assert np.allclose(ready.slice_centre(), WRONG_PLACE)
    assert not ready.user.ui.review_remarks[1].showButton.visible  # that remark has no place
    assert not ready.user.ui.review_remarks[0].repairButton.visible


def test_the_three_d_view_looks_at_the_structure_from_the_same_side(ready):
    view = slicer.app.layoutManager().threeDWidget(0).mrmlViewNode()
    camera = slicer.modules.cameras.logic().GetViewActiveCameraNode(view)
    camera.SetPosition(0, -500, 0)
    camera.SetFocalPoint(0, 0, 0)
    ready.click_row("kidney right")
    assert np.allclose(camera.GetFocalPoint(), WRONG_PLACE)
    offset = np.subtract(camera.GetPosition(), camera.GetFocalPoint())
    assert np.allclose(offset / np.linalg.norm(offset), (0, -1, 0))
    assert 50 < np.linalg.norm(offset) < 1000


def test_the_chosen_structure_is_alone_with_faded_neighbours(reviewer):
    node = reviewer.add_result(count=30)  # in blocks, four along each axis: label n is the n-th
    before = all_settings(node)
    reviewer.click_row("kidney right")
    assert opacities(node, "kidney_right") == list(before["kidney_right"][1:])
    near = reviewer.visible() - {"kidney_right"}
    labels = {node.GetSegmentation().GetSegment(each).GetLabelValue() for each in near}
    assert labels == {1, 3, 5, 6, 7, 17, 18, 19, 21, 22, 23}
    for each in near:
        assert all(now < then for now, then in zip(opacities(node, each), before[each][1:], strict=True))


@pytest.mark.parametrize("way", ["H", "close section", "leave module", "other segmentation", "quit module"])
def test_the_users_own_settings_come_back(ready, way):
    display = ready.node.GetDisplayNode()
    display.SetSegmentVisibility("liver", False)
    display.SetSegmentOpacity2DFill("stomach", 0.21)
    display.SetSegmentVisibility("kidney_right", False)
    before = all_settings(ready.node)
    ready.click_row("kidney right")
    assert display.GetSegmentVisibility("kidney_right") and not display.GetSegmentVisibility("liver")
    if way == "H":
        ready.press("H")
    elif way == "close section":
        ready.ui.collapsibleButton.collapsed = True
    elif way == "leave module":
        ready.app.leave_module()
    elif way == "other segmentation":
        ready.ui.segmentationSelector.setCurrentNode(None)
    else:
        ready.panel.close()
    ready.settle()
    assert all_settings(ready.node) == before
    assert display.GetAttributeNames() in (None, ())


def test_an_eye_that_the_user_closes_meanwhile_stays_closed(ready):
    ready.click_row("kidney right")
    display = ready.node.GetDisplayNode()
    neighbour = sorted(ready.visible() - {"kidney_right"})[0]
    display.SetSegmentVisibility(neighbour, False)
    ready.press("H")
    assert not display.GetSegmentVisibility(neighbour)
    assert display.GetSegmentVisibility("kidney_right")


def test_coming_back_goes_on_where_the_review_was_left(reviewer):
    reviewer.add_result(count=30)
    reviewer.click_row("gallbladder")
    alone = reviewer.visible()
    reviewer.app.leave_module()
    assert reviewer.visible() != alone
    reviewer.app.enter_module()
    assert reviewer.chosen == "gallbladder"
    assert reviewer.visible() == alone


def test_the_next_structure_is_alone_with_the_users_settings_not_the_faded_ones(ready):
    before = all_settings(ready.node)
    ready.click_row("kidney right")
    ready.click_row("gallbladder")
    assert opacities(ready.node, "gallbladder") == list(before["gallbladder"][1:])
    ready.press("H")
    assert all_settings(ready.node) == before
    ready.click_row("kidney right")  # H holds for the next ones, too
    assert all_settings(ready.node) == before


def test_a_scene_saved_while_a_structure_is_alone_gets_its_settings_back(ready, tmp_path):
    before = all_settings(ready.node)
    ready.click_row("kidney right")
    assert all_settings(ready.node) != before
    scene = ready.app.save_scene(tmp_path / "saved")
    ready.app.load_scene(scene, clear=True)
    ready.settle()
    node = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")[0]
    assert all_settings(node) == before


def test_a_result_that_replaces_the_reviewed_one_is_shown_whole(ready):
    from review_support import result_of
    from TotalSegmentatorModuleLib.scene.segmentation_import import ImportTarget, import_result
    from TotalSegmentatorModuleLib.scene.volumes import ijk_to_ras

    ready.click_row("kidney right")
    image, header = result_of(ijk_to_ras(ready.ct), 6, None)
    import_result([image], header, ImportTarget(ready.ct, ready.node))
    ready.panel.result_arrived(ready.node, header)
    ready.settle()
    assert ready.chosen == ""
    assert len(ready.visible()) == 6
    assert {opacity for each in ready.visible() for opacity in opacities(ready.node, each)} == {1.0}
    ready.click_row("spleen")
    ready.press("H")
    assert len(ready.visible()) == 6
