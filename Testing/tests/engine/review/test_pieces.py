"""Stray pieces, organs in large parts, gaps in tubes."""

from __future__ import annotations

import numpy as np
import pytest
from planted_faults import PlantedFault, distance_mm
from TotalSegmentatorWire.messages.review import Level


@pytest.mark.parametrize(
    ("name", "centre", "orientation"), [("liver", (-60, 30, -20), "LPS"), ("rib_left_7", (60, 40, 350), "PIR")]
)
def test_a_stray_piece_is_found_where_it_is(name: str, centre: tuple[float, float, float], orientation: str):
    fault = PlantedFault(orientation)
    fault.add_ball(name, centre, 8)
    flags = fault.flags("islands")
    assert list(flags) == [name]
    assert flags[name].level == Level.CHECK
    assert flags[name].numbers["volume_ml"] == pytest.approx(2.1, rel=0.2)
    assert distance_mm(flags[name], centre) < 3


def test_bowel_may_have_pieces():
    fault = PlantedFault()
    fault.add_ball("small_bowel", (-60, 30, -20), 8)
    assert "small_bowel" not in fault.flags("islands")


@pytest.mark.parametrize(
    ("name", "low", "high", "level"),
    [
        ("aorta", 230, 260, Level.WRONG),
        ("iliac_artery_left", -75, -50, Level.CHECK),
        ("esophagus", 300, 330, Level.WRONG),
    ],
)
def test_a_gap_in_a_tube_is_found_with_its_place(name: str, low: float, high: float, level: str):
    fault = PlantedFault()
    is_behind = {"aorta": 0}.get(name, 100)  # the descending aorta only
    gone = fault.remove(name, lambda ras: (ras[..., 2] > low) & (ras[..., 2] < high) & (ras[..., 1] < is_behind))
    flags = fault.flags("tube_gap")
    assert list(flags) == [name] and flags[name].level == level
    assert flags[name].numbers["gap_mm"] == pytest.approx(high - low, abs=12)
    assert distance_mm(flags[name], fault.ras[gone].mean(axis=0)) < 10


def test_a_gap_in_the_colon_lies_between_its_ends_not_where_two_loops_come_near():
    fault = PlantedFault()
    gone = fault.remove("colon", lambda ras: (np.abs(ras[..., 0] - 10) < 20) & (ras[..., 2] > 40))
    flag = fault.flags("tube_gap")["colon"]
    assert flag.level == Level.CHECK
    assert distance_mm(flag, fault.ras[gone].mean(axis=0)) < 10


def test_pieces_that_the_scan_may_join_outside_are_no_fault():
    """The upper end of the scan lies below the top of the arch and shows two limbs of the aorta."""
    view = ((-230.0, 230.0), (-190.0, 180.0), (-60.0, 390.0))
    fault = PlantedFault(view=view)
    findings = fault.findings()
    assert len(findings["aorta"].pieces) == 2
    assert "aorta" not in {**fault.flags("tube_gap"), **fault.flags("divided"), **fault.flags("islands")}


def test_an_organ_in_two_large_parts_is_worth_a_look():
    fault = PlantedFault()
    x, _y, _z = fault.centre("pancreas")
    fault.remove("pancreas", lambda ras: np.abs(ras[..., 0] - x) < 10)
    assert fault.flags("divided")["pancreas"].level == Level.CHECK
