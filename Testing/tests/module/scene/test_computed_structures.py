"""The model's own structures stay with the scene, and any of them can be restored after an edit."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from desktop import Desktop
from phantom import PhantomParameters, make_phantom
from phantom.phantom import Phantom, read_label_table
from TotalSegmentatorEngine.imaging.computed_structures import computed_structures
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.computed import computed_to_json
from TotalSegmentatorWire.messages.segment import FoundStructure
from TotalSegmentatorWire.tables.structures import structure_table

CHEST = ((-200.0, 200.0), (-150.0, 150.0), (200.0, 380.0))


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    parameters = PhantomParameters(spacing_mm=(4.0, 4.0, 4.0), oblique_degrees=(8.0, 5.0, 0.0), field_of_view_mm=CHEST)
    return make_phantom(parameters)


@pytest.fixture
def app():
    with Desktop() as application:
        yield application
        assert not application.errors


@pytest.fixture
def computed(app):
    from TotalSegmentatorModuleLib.scene import computed_structures as module

    return module


def found_in(labels: np.ndarray) -> list[FoundStructure]:
    found = []
    for name, label in read_label_table().items():
        places = np.argwhere(labels == label)
        if len(places):
            (k0, j0, i0), (k1, j1, i1) = places.min(axis=0).tolist(), places.max(axis=0).tolist()
            found.append(FoundStructure(label, name, len(places), [i0, i1, j0, j1, k0, k1]))
    return found


def imported(app, phantom: Phantom, computed):
    """The CT and its segmentation, with the computed structures kept."""
    from TotalSegmentatorModuleLib import self_test
    from TotalSegmentatorModuleLib.scene import segmentation_import

    found = found_in(phantom.labels)
    ct = app.add_volume(phantom.ct, phantom.ijk_to_ras, "CT")
    image = segmentation_import.LabelImage(phantom.labels.shape)
    image.array[:] = phantom.labels
    everything = structure_table("structures_104")
    header = self_test.synthetic_header(phantom.labels.shape, phantom.ijk_to_ras, everything)
    header = dataclasses.replace(header, found=found)
    node = segmentation_import.import_result([image], header, segmentation_import.ImportTarget(ct))
    geometry = Geometry(phantom.labels.shape, phantom.ijk_to_ras)
    computed.keep_computed(node, computed_to_json(computed_structures(found, [phantom.labels], geometry)))
    return ct, node


def voxels(node, ct, segment_id: str) -> np.ndarray:
    return slicer.util.arrayFromSegmentBinaryLabelmap(node, segment_id, ct) != 0


def paint(node, ct, segment_id: str, array: np.ndarray) -> None:
    slicer.util.updateSegmentBinaryLabelmapFromArray(array.astype(np.uint8), node, segment_id, ct)


def restore(computed, node, segment_id: str) -> None:
    computed.computed_voxels(node, segment_id).write_to(node, segment_id)


def test_an_edited_structure_comes_back_and_the_others_stay(app, phantom: Phantom, computed):
    ct, node = imported(app, phantom, computed)
    table = read_label_table()
    liver, stomach = (phantom.labels == table[name] for name in ("liver", "heart_atrium_left"))
    edited = np.roll(liver, 3, axis=2)
    paint(node, ct, "liver", edited)
    assert not np.array_equal(voxels(node, ct, "liver"), liver)
    restore(computed, node, "liver")
    assert np.array_equal(voxels(node, ct, "liver"), liver)
    assert np.array_equal(voxels(node, ct, "heart_atrium_left"), stomach)


def test_a_neighbour_that_grew_over_the_structure_keeps_its_voxels(app, phantom: Phantom, computed):
    ct, node = imported(app, phantom, computed)
    table = read_label_table()
    liver = phantom.labels == table["liver"]
    lung = phantom.labels == table["lung_lower_lobe_right"]
    grown = lung | np.roll(liver, 2, axis=0)
    paint(node, ct, "lung_lower_lobe_right", grown)
    restore(computed, node, "liver")
    assert np.array_equal(voxels(node, ct, "liver"), liver)
    assert np.array_equal(voxels(node, ct, "lung_lower_lobe_right"), grown)


def test_it_is_saved_with_the_scene(app, phantom: Phantom, computed, tmp_path: Path):
    ct, node = imported(app, phantom, computed)
    paint(node, ct, "liver", np.zeros(phantom.labels.shape, bool))
    path = app.save_scene(tmp_path / "case")
    app.close_scene()
    assert not slicer.util.getNodesByClass("vtkMRMLTextNode")
    app.load_scene(path)
    (node,) = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    (ct,) = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    assert computed.can_restore(node, "liver")
    restore(computed, node, "liver")
    assert np.array_equal(voxels(node, ct, "liver"), phantom.labels == read_label_table()["liver"])


def test_it_goes_with_the_last_segmentation_that_refers_to_it(app, phantom: Phantom, computed):
    from TotalSegmentatorModuleLib.scene.segmentation_lifetime import application_lifetime

    application_lifetime().start(slicer.mrmlScene)
    _ct, node = imported(app, phantom, computed)
    copy = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    copy.Copy(node)
    slicer.mrmlScene.RemoveNode(node)
    assert computed.can_restore(copy, "liver")
    slicer.mrmlScene.RemoveNode(copy)
    assert not slicer.util.getNodesByClass("vtkMRMLTextNode")


def test_a_copy_keeps_what_it_shared_when_structures_are_computed_again(app, phantom: Phantom, computed):
    _ct, node = imported(app, phantom, computed)
    before = computed.computed_text(node)
    copy = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    copy.Copy(node)
    after = computed.with_computed(before, "", ["liver"])
    computed.keep_computed(node, after)
    assert (computed.computed_text(node), computed.computed_text(copy)) == (after, before)
    computed.keep_computed(node, before)
    assert len(slicer.util.getNodesByClass("vtkMRMLTextNode")) == 2


def test_what_was_not_kept_or_is_damaged_is_refused(app, phantom: Phantom, computed):
    _ct, node = imported(app, phantom, computed)
    with pytest.raises(SegmentationError, match="was not kept"):
        restore(computed, node, "face")
    computed.keep_computed(node, '{"version": 1, "structures": {"liver"')
    assert not computed.can_restore(node, "liver")
    with pytest.raises(SegmentationError) as caught:
        restore(computed, node, "liver")
    assert caught.value.code == "BAD_REQUEST"
    computed.forget_computed(node)
    assert not slicer.util.getNodesByClass("vtkMRMLTextNode")


def test_it_takes_little_room(phantom: Phantom):
    """At most 4 % of a coarse CT; a finer one takes a smaller share: 0.5 % of a real CT at 0.77 x 0.77 x 1.5 mm."""
    geometry = Geometry(phantom.labels.shape, phantom.ijk_to_ras)
    text = computed_to_json(computed_structures(found_in(phantom.labels), [phantom.labels], geometry))
    assert len(text) < 0.04 * phantom.ct.nbytes
