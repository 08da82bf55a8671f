"""Structures that should have been found."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from planted_faults import PlantedFault, distance_mm
from TotalSegmentatorEngine.review.measures.body_frame import BodyFrame
from TotalSegmentatorWire.messages.review import Level

MISSING = ("missing_between", "missing_partner", "missing_but_seen")


@pytest.mark.parametrize(
    ("name", "others", "orientation"),
    [
        ("vertebrae_T8", ("vertebrae_T7", "vertebrae_T9"), "LPS"),
        ("rib_left_6", ("rib_left_5", "rib_left_7"), "PIR"),
        ("lung_middle_lobe_right", ("lung_upper_lobe_right", "lung_lower_lobe_right"), "RAS"),
    ],
)
def test_missing_between_neighbours(name: str, others: tuple[str, str], orientation: str):
    fault = PlantedFault(orientation)
    centre = fault.centre(name)
    fault.remove(name)
    flags = fault.flags("missing_between")
    assert list(flags) == [name] and flags[name].others == others
    assert flags[name].level == (Level.CHECK if name.startswith("lung") else Level.WRONG)
    if not name.startswith("lung"):
        assert distance_mm(flags[name], centre) < 10


@pytest.mark.parametrize("name", ["scapula_left", "hip_right", "adrenal_gland_left"])
def test_missing_on_one_side(name: str):
    fault = PlantedFault(rotation_degrees=(4.0, -3.0, 5.0))
    centre = fault.centre(name)
    fault.remove(name)
    found = {rule: fault.flags(rule) for rule in MISSING}
    (flag,) = [flag for flags in found.values() for flag in flags.values()]
    assert flag.structure == name
    assert distance_mm(flag, centre) < 20


def test_a_number_that_is_left_out_is_not_a_missing_vertebra():
    fault = PlantedFault()
    names = [f"vertebrae_{short}" for short in ("T12", "L1", "L2", "L3", "L4", "L5")]
    for upper, lower in reversed(list(pairwise(names))):  # T12 becomes L1, L1 becomes L2 …
        if lower == "vertebrae_L5":
            fault.remove(lower)
        fault.swap(upper, lower)
    assert "vertebrae_T12" not in fault.findings()
    assert not any(fault.flags(rule) for rule in MISSING)


def test_where_nobody_knows_what_was_sought_only_gaps_in_a_row_are_missing():
    fault = PlantedFault()
    fault.remove("vertebrae_T8")
    fault.remove("scapula_left")
    flags = {name: flag for rule in MISSING for name, flag in fault.flags(rule, sought=()).items()}
    assert list(flags) == ["vertebrae_T8"]


@pytest.mark.parametrize(
    ("name", "level"), [("gallbladder", Level.WRONG), ("adrenal_gland_left", Level.CHECK), ("rib_left_12", None)]
)
def test_what_a_coarse_model_saw_is_missing(name: str, level: str | None):
    fault = PlantedFault()
    place = fault.centre(name)
    if level is None:
        fault.remove(name, lambda ras: np.linalg.norm(ras - place, axis=-1) > 8)
    coarse = fault.findings()
    fault.remove(name)
    flags = fault.flags("missing_but_seen", coarse=[coarse])
    assert [flag.level for flag in flags.values()] == ([] if level is None else [level])
    assert all(distance_mm(flag, place) < 1e-6 for flag in flags.values())


def test_the_body_frame_follows_a_turned_body():
    fault = PlantedFault(rotation_degrees=(0.0, 6.0, 8.0), shift_mm=(15.0, 0.0, 0.0))
    frame = BodyFrame(fault.findings())
    left, right = fault.centre("hip_left"), fault.centre("hip_right")
    assert frame.to_the_right(right) == pytest.approx(-frame.to_the_right(left), abs=5)
    assert np.linalg.norm(frame.mirrored(left) - right) < 10
