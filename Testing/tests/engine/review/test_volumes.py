"""Volumes, sizes of paired structures, shares of the lungs."""

from __future__ import annotations

import numpy as np
import pytest
from planted_faults import PlantedFault, distance_mm
from TotalSegmentatorWire.messages.review import Level
from TotalSegmentatorWire.tables.usual_ranges import Range


@pytest.mark.parametrize(("name", "orientation"), [("spleen", "LPS"), ("vertebrae_T9", "PIR")])
def test_a_remnant_is_too_small(name: str, orientation: str):
    fault = PlantedFault(orientation)
    centre = fault.centre(name)
    fault.remove(name, lambda ras: np.linalg.norm(ras - centre, axis=-1) > 11)
    flags = fault.flags("volume")
    assert list(flags) == [name] and flags[name].level == Level.CHECK
    assert distance_mm(flags[name], centre) < 10


def test_a_liver_that_swallowed_its_surroundings_is_too_large():
    fault = PlantedFault()
    fault.add_ball("liver", fault.centre("liver"), 100)
    assert "liver" in fault.flags("volume")


def test_the_volume_of_a_cut_structure_is_not_judged():
    fault = PlantedFault()
    spleen = fault.mask("spleen")
    top = fault.ras[..., 2][spleen].min() + 15
    view = ((-230.0, 230.0), (-190.0, 180.0), (-260.0, float(top)))
    fault = PlantedFault(view=view)
    findings = fault.findings()
    assert findings["spleen"].is_cut and findings["spleen"].volume_ml < 25
    assert "spleen" not in fault.flags("volume")


@pytest.mark.parametrize("name", ["clavicula_left", "scapula_right", "kidney_left"])
def test_the_smaller_of_a_pair_is_flagged_at_its_missing_part(name: str):
    fault = PlantedFault(rotation_degrees=(3.0, 2.0, -4.0))
    x, _y, z = fault.centre(name)
    is_bone = not name.startswith("kidney")
    far = np.abs(x) + 5 if is_bone else z - 10  # the lateral part of a bone, all but the lower pole of a kidney
    gone = fault.remove(name, lambda ras: np.abs(ras[..., 0]) > far if is_bone else ras[..., 2] > far)
    flags = fault.flags("asymmetry")
    assert list(flags) == [name] and flags[name].level == Level.CHECK
    assert distance_mm(flags[name], fault.ras[gone].mean(axis=0)) < (10 if is_bone else 25)


def test_a_lobe_with_an_unlikely_share_of_the_lungs():
    fault = PlantedFault()
    middle, upper = fault.mask("lung_middle_lobe_right"), fault.mask("lung_upper_lobe_right")
    fault.labels[upper & (fault.ras[..., 2] < 380)] = fault.labels[middle][0]
    flags = fault.flags("lung_share")
    assert {"lung_middle_lobe_right", "lung_upper_lobe_right"} <= set(flags)


def test_a_range_may_lack_an_end_but_not_both():
    assert Range(None, 300.0).widened(0.25).holds(370) and Range(40.0, None).text() == "at least 40"
    assert not Range(40.0, 300.0).widened(0.25).holds(29)
    for low, high in ((None, None), (3.0, 2.0)):
        with pytest.raises(ValueError):
            Range(low, high)
