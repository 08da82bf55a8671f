"""What the scan cuts: at its ends, and at the edge of a round field of view."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from planted_faults import LABELS, PlantedFault, distance_mm, real_findings
from scipy.ndimage import binary_dilation
from TotalSegmentatorEngine.review.all_rules import review
from TotalSegmentatorWire.messages.review import Level

CUT_IN_THE_REAL_CT = {
    *("spleen", "liver", "stomach", "aorta", "inferior_vena_cava", "colon", "heart_myocardium"),
    *("lung_upper_lobe_left", "lung_lower_lobe_left", "lung_middle_lobe_right", "lung_lower_lobe_right"),
    *("vertebrae_T11", "vertebrae_T12", "autochthon_left", "autochthon_right"),
    *(f"rib_{side}_{number}" for side in ("left", "right") for number in range(7, 12)),
    *("femur_left", "femur_right", "hip_left", "hip_right", "iliopsoas_left", "iliopsoas_right"),
    *("gluteus_maximus_left", "gluteus_maximus_right"),
}
"""A middle lobe of one voxel is among them; nothing else is."""


def test_the_real_ct_cuts_exactly_what_it_cuts(shared: Path):
    flags = review(real_findings(shared))
    assert {flag.structure for flag in flags if flag.level == Level.CUT} == CUT_IN_THE_REAL_CT
    assert not [flag for flag in flags if flag.level == Level.WRONG]


@pytest.mark.parametrize("orientation", ["LPS", "ASL"])
@pytest.mark.parametrize(("padding", "centre"), [(-1024, (0, 0)), (-3024, (20, -15))])
def test_a_round_field_of_view_cuts_at_its_edge(orientation: str, padding: int, centre: tuple[int, int]):
    fault = PlantedFault(orientation)
    unseen = np.linalg.norm(fault.ras[..., :2] - centre, axis=-1) > 120
    whole = PlantedFault(orientation).labels
    fault.ct[unseen], fault.labels[unseen] = padding, 0
    flags = fault.flags("cut_by_scan")
    lost = {name for name, label in LABELS.items() if (whole[unseen] == label).any() and fault.mask(name).any()}
    near = binary_dilation(unseen, np.ones((3, 3, 3)))
    at_edge = {name for name in LABELS if fault.mask(name)[near].any()}
    ends = {name for name, found in PlantedFault(orientation).findings().items() if found.is_cut}
    assert lost <= set(flags) <= at_edge | ends
    assert len(lost) > 20
    assert flags["spleen"].numbers["sides"] == "left" and "right" in flags["hip_right"].numbers["sides"]


def test_air_without_noise_is_no_edge_of_the_field_of_view():
    fault = PlantedFault()
    fault.ct[fault.ct < -900] = -1024
    assert fault.findings().round_view is None


@pytest.mark.parametrize(("orientation", "name"), [("LPS", "trachea"), ("PIR", "femur_right")])
def test_the_place_is_in_the_middle_of_the_cut_face(orientation: str, name: str):
    fault = PlantedFault(orientation)
    heights = fault.ras[..., 2]
    face = fault.mask(name) & (heights == (heights.min() if name.startswith("femur") else heights.max()))
    assert distance_mm(fault.flags("cut_by_scan")[name], fault.ras[face].mean(axis=0)) < 5


@pytest.mark.parametrize(
    ("rotation", "centre", "radius"),
    [((4.0, 6.0, 3.0), (-30, 30), 90), ((-8.0, 0.0, 0.0), (0, 40), 130), ((-8.0, 0.0, 0.0), (40, 0), 70)],
    ids=["heart", "spine leaves at the back", "right side"],
)
def test_a_narrow_field_of_view_makes_nothing_wrong(
    rotation: tuple[float, float, float], centre: tuple[int, int], radius: float
):
    """It cuts the spine lengthwise, and pairs on one side."""
    fault = PlantedFault(rotation_degrees=rotation)
    unseen = np.linalg.norm(fault.ras[..., :2] - centre, axis=-1) > radius
    fault.ct[unseen], fault.labels[unseen] = -2000, 0
    flags = review(fault.findings())
    assert sum(flag.level == Level.CUT for flag in flags) > 20
    assert not [flag for flag in flags if flag.level != Level.CUT]
