"""The structures in 3-D: built one after the other, those with remarks first, the same surfaces as Slicer's own."""

from __future__ import annotations

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import numpy as np
import slicer
import vtk
import vtk.util.numpy_support
from scipy import ndimage

SURFACE = "Closed surface"
LARGE = (80, 80, 80)
"""So that a hundred structures take many turns of the event loop on a fast computer, too."""


@pytest.fixture
def figures(ready):
    return ready.user.ui.review_figures


def surfaces(node) -> dict:
    segmentation = node.GetSegmentation()
    found = {each: segmentation.GetSegment(each).GetRepresentation(SURFACE) for each in segmentation.GetSegmentIDs()}
    return {each: surface for each, surface in found.items() if surface is not None}


def filled(node) -> dict:
    return {each: surface for each, surface in surfaces(node).items() if surface.GetNumberOfPolys()}


def points_of(surface) -> np.ndarray:
    return vtk.util.numpy_support.vtk_to_numpy(surface.GetPoints().GetData())


def open_edges(surface) -> int:
    edges = vtk.vtkFeatureEdges()
    edges.SetInputData(surface)
    edges.BoundaryEdgesOn()
    for each in ("FeatureEdges", "ManifoldEdges", "NonManifoldEdges"):
        getattr(edges, each + "Off")()
    edges.Update()
    return edges.GetOutput().GetNumberOfCells()


def halve(node, segment_id: str) -> None:
    """Take the upper half of a segment away, as the Segment Editor does."""
    from TotalSegmentatorModuleLib.scene.segment_voxels import SegmentVoxels

    whole = SegmentVoxels.of(node.GetSegmentation().GetSegment(segment_id))
    lower = whole.inside[: len(whole.inside) // 2]
    SegmentVoxels.cropped(lower, whole.start, whole.ijk_to_ras).write_to(node, segment_id)


def test_all_structures_get_the_closed_surfaces_that_slicer_makes(ready, figures):
    ready.app.click(figures.threeDButton)
    ready.wait(lambda: figures.threeDButton.text == "Hide 3D")
    assert not figures.threeDProgressBar.visible
    made = surfaces(ready.node)
    assert len(made) == len(filled(ready.node)) == 6
    assert all(open_edges(surface) == 0 for surface in made.values())
    points = {each: points_of(surface).copy() for each, surface in made.items()}
    ready.node.RemoveClosedSurfaceRepresentation()
    assert ready.node.CreateClosedSurfaceRepresentation()
    for each, surface in surfaces(ready.node).items():
        own, slicers = (np.sort(np.round(of, 2), axis=0) for of in (points[each], points_of(surface)))
        assert own.shape == slicers.shape and np.abs(own - slicers).max() < 0.02
    ready.app.click(figures.threeDButton)
    assert surfaces(ready.node) == {} and figures.threeDButton.text == "Show 3D"


def test_the_3d_view_shows_all_structures_unless_one_is_looked_at(ready, figures):
    view = slicer.app.layoutManager().threeDWidget(0).mrmlViewNode()
    camera = slicer.modules.cameras.logic().GetViewActiveCameraNode(view)
    camera.SetPosition(0, 5000, 0)
    camera.SetFocalPoint(0, 0, 0)
    ready.app.click(figures.threeDButton)
    bounds = [0.0] * 6
    ready.node.GetRASBounds(bounds)
    low, high = np.array(bounds[::2]), np.array(bounds[1::2])
    assert np.allclose(camera.GetFocalPoint(), (low + high) / 2)
    away = np.subtract(camera.GetPosition(), camera.GetFocalPoint())
    assert np.allclose(away[[0, 2]], 0) and away[1] > 0  # still from the front
    corner = np.linalg.norm(high - low) / 2
    assert np.degrees(np.arcsin(corner / away[1])) == pytest.approx(camera.GetViewAngle() / 2)
    ready.wait(lambda: figures.threeDButton.text == "Hide 3D")
    ready.app.click(figures.threeDButton)
    ready.press("N")
    chosen = camera.GetFocalPoint()
    ready.app.click(figures.threeDButton)
    assert camera.GetFocalPoint() == chosen
    ready.wait(lambda: figures.threeDButton.text == "Hide 3D")


def test_cancel_leaves_no_structure_with_an_empty_surface(reviewer):
    reviewer.add_result((), count=100, shape=LARGE)
    figures = reviewer.user.ui.review_figures
    button = figures.threeDButton
    reviewer.app.click(button)
    assert (button.text, figures.threeDProgressBar.visible) == ("Cancel 3D", True)
    reviewer.wait(lambda: filled(reviewer.node))
    before = len(filled(reviewer.node))
    reviewer.node.GetSegmentation().CreateRepresentation(SURFACE)  # as 3-D views do: what is missing, in one go
    assert len(filled(reviewer.node)) == before < 100
    reviewer.app.click(button)
    assert surfaces(reviewer.node) == {} and button.text == "Show 3D"
    reviewer.app.click(button)
    reviewer.wait(lambda: button.text == "Hide 3D")
    assert len(filled(reviewer.node)) == 100


def test_another_segmentation_under_review_cancels(reviewer):
    first = reviewer.add_result((), count=100, shape=LARGE)
    reviewer.app.click(reviewer.user.ui.review_figures.threeDButton)
    reviewer.wait(lambda: filled(first))
    reviewer.add_result((), count=4, name="Another", shape=LARGE)
    assert surfaces(first) == {}
    assert reviewer.user.ui.review_figures.threeDButton.text == "Show 3D"


def test_structures_with_remarks_come_first(reviewer, monkeypatch):
    from TotalSegmentatorModuleLib.figures import surface_building as building

    reviewer.add_result(count=100, shape=LARGE)
    monkeypatch.setattr(building, "TOGETHER_SECONDS", 0.0)
    order = []
    reviewer.app.click(reviewer.user.ui.review_figures.threeDButton)
    while len(order) < 6:
        reviewer.app.process_events()
        order += [each for each in filled(reviewer.node) if each not in order]
    assert set(order[:4]) == {"kidney_right", "gallbladder", "aorta", "spleen"}


def test_a_structure_that_is_drawn_on_meanwhile_gets_the_surface_of_what_was_drawn(ready):
    from TotalSegmentatorModuleLib.figures.surface_building import SurfaceBuilding

    steps = SurfaceBuilding(ready.node, []).steps()
    for done, _count in steps:
        if done == 3:  # converted, some of them not yet shown
            break
    for segment_id in ("kidney_right", "stomach"):
        halve(ready.node, segment_id)
    for _progress in steps:
        pass
    heights = {each: np.ptp(points_of(surface)[:, 2]) for each, surface in surfaces(ready.node).items()}
    assert len(heights) == 6
    for segment_id in ("kidney_right", "stomach"):
        assert heights[segment_id] == pytest.approx(heights["liver"] / 2, rel=0.2)


def test_slicer_itself_renews_the_surface_of_an_edited_structure(ready, figures):
    ready.app.click(figures.threeDButton)
    ready.wait(lambda: figures.threeDButton.text == "Hide 3D")
    before = surfaces(ready.node)["liver"].GetNumberOfPolys()
    halve(ready.node, "liver")
    assert 0 < surfaces(ready.node)["liver"].GetNumberOfPolys() < before
    ready.settle()
    assert figures.threeDButton.text == "Hide 3D"


def test_voxels_that_a_script_changes_take_the_surfaces_with_them(reviewer):
    reviewer.add_result((), count=100, shape=LARGE)
    button = reviewer.user.ui.review_figures.threeDButton
    reviewer.app.click(button)
    reviewer.wait(lambda: filled(reviewer.node))
    image = reviewer.segment("liver").GetRepresentation("Binary labelmap")
    image.Modified()  # Slicer takes all other representations away
    reviewer.wait(lambda: button.text == "Show 3D")
    assert surfaces(reviewer.node) == {}


def test_closing_the_scene_ends_it(reviewer):
    reviewer.add_result((), count=100, shape=LARGE)
    button = reviewer.user.ui.review_figures.threeDButton
    reviewer.app.click(button)
    reviewer.wait(lambda: filled(reviewer.node))
    reviewer.app.close_scene()
    reviewer.settle()
    assert (button.text, button.enabled) == ("Show 3D", False)
    assert reviewer.app.errors == []


def test_boxes_hold_all_voxels_of_their_labels():
    from TotalSegmentatorModuleLib.figures.label_boxes import label_boxes

    labels = np.zeros((4, 30, 25), np.int16)
    labels[1:3, 4:9, 3:8], labels[0, 20:22, 22:], labels[3, 20:23, :4], labels[2, 29, 24] = 7, 300, 300, 12
    steps, boxes = label_boxes(labels), None
    while boxes is None:
        try:
            next(steps)
        except StopIteration as stop:
            boxes = stop.value
    exact = {label: box for label, box in enumerate(ndimage.find_objects(labels), 1) if box is not None}
    assert boxes[7] == exact[7] and boxes[12] == exact[12] and set(boxes) == set(exact)
    assert boxes[300] == (slice(0, 4), slice(20, 23), slice(0, 25))
