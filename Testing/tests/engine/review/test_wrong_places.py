"""Structures on the wrong side, where they cannot be, and a CT that is mirrored."""

from __future__ import annotations

import numpy as np
import pytest
from planted_faults import LABELS, PlantedFault, distance_mm
from TotalSegmentatorWire.messages.review import Level
from TotalSegmentatorWire.tables.review_rules import RULES, Repair


@pytest.mark.parametrize(
    ("pair", "orientation"), [(("kidney_left", "kidney_right"), "LPS"), (("hip_left", "hip_right"), "ASL")]
)
def test_a_swapped_pair(pair: tuple[str, str], orientation: str):
    fault = PlantedFault(orientation, rotation_degrees=(2.0, -5.0, 5.0))
    fault.swap(*pair)
    flags = fault.flags("wrong_side")
    assert set(flags) == set(pair) and {flag.level for flag in flags.values()} == {Level.WRONG}
    assert flags[pair[0]].others == (pair[1],)
    assert distance_mm(flags[pair[0]], fault.centre(pair[0])) < 10
    assert RULES["wrong_side"].repair == Repair.SWAP


def test_a_left_one_alone_on_the_right():
    fault = PlantedFault()
    fault.remove("kidney_left")
    fault.labels[fault.mask("kidney_right")] = LABELS["kidney_left"]
    assert list(fault.flags("wrong_side")) == ["kidney_left"]


def test_organs_with_each_others_names():
    fault = PlantedFault()
    fault.swap("urinary_bladder", "spleen")
    flags = fault.flags("misplaced")
    assert set(flags) == {"urinary_bladder", "spleen"}
    assert all(flag.level == Level.WRONG for flag in flags.values())


@pytest.mark.parametrize(("axis", "rule"), [(2, "mirrored_left_right"), (0, "upside_down"), (1, "mirrored_front_back")])
def test_a_mirrored_ct_is_one_flag_with_a_place(axis: int, rule: str):
    fault = PlantedFault("RAS")
    fault.labels, fault.ct = (np.ascontiguousarray(np.flip(array, axis)) for array in (fault.labels, fault.ct))
    flags = fault.flags(rule)
    ((name, flag),) = flags.items()
    assert flag.level == Level.WRONG and len(flag.others) == 1
    assert distance_mm(flag, fault.centre(name)) < 30
    assert not fault.flags("wrong_side") and not fault.flags("misplaced")
