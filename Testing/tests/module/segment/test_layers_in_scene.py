"""A result of two models comes into the scene with structures that overlap, each tagged with its own model.

The fake engine finds the spleen where there is soft tissue, and with another model the right kidney where there is soft
tissue or air.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
import vtk
from job_support import soft_tissue_with_air
from TotalSegmentatorWire.job_folder import RESULT_HEADER

SHAPE = (20, 24, 28)
CT = soft_tissue_with_air(SHAPE)
MASKS = {"spleen": CT > 0, "kidney_right": (CT > 0) | (CT < -500)}


@pytest.fixture
def segmented(user):
    """The panel after Apply."""
    user.add_ct(CT)
    user.plan("", "two layers")
    user.click_apply()
    user.wait_until_ready()
    return user


def tag(node, segment_id: str, name: str) -> str:
    value = vtk.mutable("")
    node.GetSegmentation().GetSegment(segment_id).GetTag(f"TotalSegmentatorModule.{name}", value)
    return str(value.get())


def voxels(user, segment_id: str) -> np.ndarray:
    node = user.segmentations[0]
    return slicer.util.arrayFromSegmentBinaryLabelmap(node, segment_id, user.parameters.inputVolume) != 0


def test_each_layer_is_one_image_and_each_segment_names_its_model(segmented):
    (node,) = segmented.segmentations
    segmentation = node.GetSegmentation()
    assert segmentation.GetNumberOfLayers() == 2
    for name, mask in MASKS.items():
        assert np.array_equal(voxels(segmented, name), mask), name
    made = {name: (tag(node, name, "Model"), tag(node, name, "Profile")) for name in MASKS}
    assert made == {"spleen": ("fake", "demo"), "kidney_right": ("other", "published")}


def test_the_models_own_shape_of_each_layer_is_kept(segmented):
    from TotalSegmentatorModuleLib.scene.computed_structures import computed_voxels

    (node,) = segmented.segmentations
    for name, mask in MASKS.items():
        kept, whole = computed_voxels(node, name), np.zeros(SHAPE, bool)
        whole[tuple(slice(start, start + size) for start, size in zip(kept.start, kept.inside.shape, strict=True))] = (
            kept.inside
        )
        assert np.array_equal(whole, mask), name


def test_a_header_that_names_a_layer_which_is_not_there_is_damaged(arrival):
    from TotalSegmentatorModuleLib import settings
    from TotalSegmentatorModuleLib.segment.result_reader import DamagedResultError, read_result_header
    from TotalSegmentatorWire.job_folder import results_folder

    folder = results_folder(settings.work_folder()) / arrival.finish_result()
    fields = json.loads((folder / RESULT_HEADER).read_text(encoding="utf-8"))
    fields["found"][3]["layer"] = 1
    (folder / RESULT_HEADER).write_text(json.dumps(fields), encoding="utf-8")
    with pytest.raises(DamagedResultError, match="layer"):
        read_result_header(folder)


def test_a_result_that_an_earlier_version_kept_is_imported(arrival):
    """It had one model, one layer, and no word of either."""
    from TotalSegmentatorModuleLib import settings
    from TotalSegmentatorWire.job_folder import results_folder

    job_id = arrival.finish_result()
    path = results_folder(settings.work_folder()) / job_id / RESULT_HEADER
    fields = json.loads(path.read_text(encoding="utf-8"))
    (model,), profiles, _layers = fields.pop("models"), fields.pop("profiles"), fields.pop("layers")
    fields |= {"model": model, "profile": profiles[model]}
    for found in fields["found"]:
        del found["layer"], found["model"]
    path.write_text(json.dumps(fields), encoding="utf-8")

    arrival.session.look_for_unimported_results()
    assert [header.job_id for header in arrival.unimported] == [job_id]
    arrival.session.import_saved_result(job_id, arrival.ct)
    arrival.wait_until_told()
    (node,) = arrival.nodes
    arrival.assert_whole(node)
    assert (tag(node, "liver", "Model"), tag(node, "liver", "Profile")) == (model, profiles[model])
