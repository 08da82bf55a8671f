"""Presets as export templates: their unions, what they derive, and what was drawn by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from roi_plan_support import AT_FIRST_SLICE, SHAPE, Block, names, planned, warnings
from scipy.ndimage import distance_transform_cdt
from TotalSegmentatorEngine.export.core.segmentation import Layer, Segment, Segmentation
from TotalSegmentatorEngine.export.grid.placement import PlacedSegmentation
from TotalSegmentatorEngine.export.rois.plan import RoiPlan, plan_rois
from TotalSegmentatorEngine.export.rois.selection import Choice
from TotalSegmentatorEngine.export.rois.template import load_template, with_structures
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorWire.choice.presets import BY_HAND, LICENCE, MODEL, read_presets
from TotalSegmentatorWire.errors.problem import SegmentationError

LOBES = [
    "lung_upper_lobe_left",
    "lung_lower_lobe_left",
    "lung_upper_lobe_right",
    "lung_middle_lobe_right",
    "lung_lower_lobe_right",
]
RAS = np.diag([1.5, 1.5, 3.0, 1.0])


def test_unions_of_a_preset_go_out_in_its_order_and_lobes_do_not():
    plan = planned("liver", Block("spinal_cord", table="structures_117"), *LOBES, "PTV", template="rt-thorax")
    assert names(plan) == ["PTV", "Lung_L", "Lung_R", "Lungs", "SpinalCord", "Liver"]
    assert plan.rois[0].interpreted_type == "PTV"
    assert [len(roi.sources) for roi in plan.rois[1:4]] == [2, 3, 5]
    absent = warnings(plan)["EXPORT_TEMPLATE_ABSENT"]["names"]
    assert "trachea" in absent and "BrachialPlex_L" not in absent and "Lung_L" not in absent


def test_a_union_of_which_a_part_is_cut_or_missing_is_marked():
    plan = planned(*LOBES[1:], Block(LOBES[0], AT_FIRST_SLICE), template="rt-thorax")
    assert names(plan) == ["Lung~_L", "Lung_R", "Lungs~"]
    assert names(planned(LOBES[0], LOBES[2], template="rt-thorax")) == ["Lung~_L", "Lung~_R", "Lungs~"]


def test_what_was_drawn_by_hand_goes_out_in_its_place():
    assert names(planned("stomach", "BrachialPlex_L", "trachea", template="rt-thorax")) == [
        "Trachea",
        "BrachialPlex_L",
        "Stomach",
    ]


def test_the_heart_is_one_label_or_the_union_of_its_chambers():
    chambers = ["heart_myocardium", "heart_atrium_left", "heart_ventricle_left", "heart_atrium_right"]
    plan = planned(*chambers, "heart_ventricle_right", template="rt-abdomen")
    assert names(plan) == ["Heart"] and len(plan.rois[0].sources) == 5
    plan = planned(*chambers, Block("heart", table="structures_117"), template="rt-abdomen")
    assert names(plan) == ["Heart"] and len(plan.rois[0].sources) == 1


def test_union_that_only_a_preset_has():
    hips = ["hip_left", "hip_right", "sacrum", "vertebrae_L5", "femur_left", "femur_right"]
    plan = planned(*hips, template="rt-pelvis-male")
    marrow = plan.rois[names(plan).index("BoneMarrow")]
    assert len(marrow.sources) == 6 and marrow.codes.type.value == "14016003"
    assert marrow.voxels().count == 6 * 8, "six blocks"


def test_structures_beside_those_of_a_template():
    template = with_structures(load_template("ribs"), ["liver", "rib_left_1"])
    assert [entry.source for entry in template.entries].count("rib_left_1") == 1
    assert template.entries[-1].source == "liver"


@pytest.mark.parametrize("id_", [id_ for id_ in read_presets() if id_ != "all"])
def test_every_row_of_a_preset_is_in_its_template(id_):
    preset = read_presets()[id_]
    entries = load_template(id_).entries
    sources, made = {entry.source for entry in entries}, {entry.name for entry in entries if entry.union_of}
    for row in preset.rows:
        if row.kind == MODEL:
            assert sources.issuperset(row.names)
        elif row.kind in (BY_HAND, LICENCE):
            assert row.tg263_name in sources | {""}
        else:
            assert row.tg263_name in sources | made


def test_own_preset_is_a_template(tmp_path):
    path = tmp_path / "own.json"
    row = {"title": "abdomen", "kind": "union", "tg263_name": "Organs", "names": ["liver", "spleen"]}
    content = {"format": "TotalSegmentatorModule preset", "version": 1, "title": "Own", "rows": [row, "stomach"]}
    path.write_text(json.dumps(content), encoding="utf-8")
    assert names(planned("stomach", "liver", "spleen", template=str(path))) == ["Organs", "Stomach"]
    path.write_text(json.dumps(content | {"rows": []}), encoding="utf-8")
    with pytest.raises(SegmentationError, match="preset cannot be used"):
        load_template(path)


def test_unknown_template_names_the_presets_too():
    with pytest.raises(SegmentationError, match="rt-thorax"):
        load_template("rt-throax")


# -- what is derived ---------------------------------------------------------------------------------------------------


def derived(preset: str, hu: np.ndarray | None = None, matrix: np.ndarray = RAS, **masks: np.ndarray) -> RoiPlan:
    """The plan for these structures, each on a layer of its own."""
    shape = next(iter(masks.values())).shape
    grid = Geometry(shape, matrix)
    layers = tuple(Layer(mask.astype(np.uint8), grid) for mask in masks.values())
    segments = tuple(Segment(name, name, (1, 2, 3), number, 1) for number, name in enumerate(masks))
    placed = PlacedSegmentation(Segmentation(segments, layers), grid)
    return plan_rois(placed, Choice(template=load_template(preset)), hu=None if hu is None else lambda: hu)


def block(shape: tuple[int, int, int], *box: slice) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[box] = True
    return mask


@pytest.mark.parametrize(("towards_right", "left"), [(1.0, slice(3, 9)), (-1.0, slice(9, 15))])
def test_breasts_are_split_at_the_spinal_cord_whatever_the_voxel_order(towards_right, left):
    matrix = RAS.copy()
    matrix[0] *= towards_right
    breast = block(SHAPE, slice(3, 9), slice(2, 6), slice(3, 15))
    cord = block(SHAPE, slice(0, 12), slice(20, 22), slice(8, 10))
    plan = derived("rt-breast", matrix=matrix, breast=breast, spinal_cord=cord)
    halves = {roi.name: roi for roi in plan.rois}
    expected = block(SHAPE, slice(3, 9), slice(2, 6), left)
    np.testing.assert_array_equal(halves["Breast_L"].voxels().whole(), expected)
    np.testing.assert_array_equal(halves["Breast_R"].voxels().whole(), breast & ~expected)
    assert halves["Breast_L"].codes.modifier.meaning == "Left"
    assert halves["Breast_L"].description.startswith("Constructed of 2")


def test_the_breast_of_one_side_is_not_split():
    breast = block(SHAPE, slice(3, 9), slice(2, 6), slice(0, 6))
    cord = block(SHAPE, slice(0, 12), slice(20, 22), slice(8, 10))
    plan = derived("rt-breast", breast=breast, spinal_cord=cord)
    assert [name for name in names(plan) if name.startswith("Breast")] == ["Breast~_L"], "at the border it is cut"
    assert warnings(plan)["EXPORT_EMPTY_LEFT_OUT"]["names"] == "Breast_R"


def test_without_the_spinal_cord_the_breasts_are_not_split():
    plan = derived("rt-breast", breast=block(SHAPE, slice(3, 9), slice(2, 6), slice(3, 15)), stomach=block(SHAPE))
    assert "Breast_L" in warnings(plan)["EXPORT_TEMPLATE_ABSENT"]["names"]


def test_skin_is_what_the_published_rule_says():
    shape = (24, 30, 32)
    trunk = block(shape, slice(5, 19), slice(6, 24), slice(6, 20))
    limbs = block(shape, slice(5, 19), slice(10, 20), slice(20, 26))
    hu = np.zeros(shape)
    hu[0:9], hu[12], hu[14] = 500.0, 250.0, -200.0
    hu[11], hu[13] = 249.0, -199.0
    hu[7, 6, 8:13] = 0.0  # five voxels of skin among bone
    plan = derived("rt-thorax", hu, body_trunc=trunk, body_extremities=limbs)
    (skin,) = [roi for roi in plan.rois if roi.name == "Skin"]

    body = trunk | limbs
    grown = distance_transform_cdt(~body, metric="taxicab") <= 1
    inner = distance_transform_cdt(grown, metric="taxicab") > 3
    expected = grown & ~inner & (hu > -200) & (hu < 250)
    assert expected[7].sum() == 5
    expected[7] = False
    np.testing.assert_array_equal(skin.voxels().whole(), expected)
    assert skin.codes.type.meaning == "Skin" and not skin.is_cut


def test_skin_does_not_close_the_ends_of_the_scan():
    shape = (8, 30, 30)
    hu = np.zeros(shape)
    plan = derived("rt-thorax", hu, body_trunc=block(shape, slice(0, 8), slice(5, 25), slice(5, 25)))
    (skin,) = [roi for roi in plan.rois if roi.name == "Skin"]
    whole = skin.voxels().whole()
    assert not whole[:, 10:20, 10:20].any()
    assert all((whole[k] == whole[4]).all() for k in range(8))


def test_without_a_ct_there_is_no_skin():
    plan = derived("rt-thorax", body_trunc=block(SHAPE, slice(2, 8)), liver=block(SHAPE, *[slice(2, 8)] * 3))
    assert names(plan) == ["Liver"]
    assert "Skin" in warnings(plan)["EXPORT_TEMPLATE_ABSENT"]["names"]
