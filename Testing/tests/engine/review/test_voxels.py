"""Holes, CT numbers, metal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from planted_faults import LABELS, PlantedFault, distance_mm, real_findings
from TotalSegmentatorEngine.review.all_rules import review
from TotalSegmentatorWire.messages.review import Level


@pytest.mark.parametrize(("name", "orientation"), [("liver", "LPS"), ("hip_left", "PIR")])
def test_a_hole_in_a_solid_structure(name: str, orientation: str):
    fault = PlantedFault(orientation)
    place = (80.0, 0.0, 190.0) if name == "liver" else (-86.0, 0.0, -120.0)
    fault.labels[np.linalg.norm(fault.ras - place, axis=-1) < 60] = LABELS[name]
    fault.labels[np.linalg.norm(fault.ras - place, axis=-1) < 8] = 0
    flags = fault.flags("holes")
    assert list(flags) == [name] and flags[name].level == Level.CHECK
    assert flags[name].numbers["volume_ml"] == pytest.approx(2.1, rel=0.2)
    assert distance_mm(flags[name], place) < 5


def test_what_another_structure_fills_is_no_hole():
    fault = PlantedFault()
    findings = fault.findings()
    assert {"heart_myocardium", "heart_ventricle_left"} <= set(findings)
    assert not fault.flags("holes")
    fault.remove("heart_ventricle_left")
    assert list(fault.flags("holes")) == ["heart_myocardium"]


@pytest.mark.parametrize(("name", "hu"), [("spleen", -700), ("lung_lower_lobe_left", 40)])
def test_a_mean_that_the_tissue_cannot_have(name: str, hu: int):
    fault = PlantedFault()
    fault.ct[fault.mask(name)] = hu
    flags = fault.flags("mean_hu")
    assert list(flags) == [name] and flags[name].level == Level.CHECK
    assert flags[name].numbers["mean_hu"] == hu


@pytest.mark.parametrize("orientation", ["LPS", "ASL"])
def test_metal_beside_structures(orientation: str):
    fault = PlantedFault(orientation)
    places = {"femur_right": np.array([117.0, 2.0, -240.0]), "vertebrae_L3": fault.centre("vertebrae_L3")}
    for place in places.values():
        fault.ct[np.linalg.norm(fault.ras - place, axis=-1) < 6] = 3071
    flags = fault.flags("metal")
    assert set(flags) == set(places)
    for name, place in places.items():
        assert flags[name].level == Level.CHECK and distance_mm(flags[name], place) < 3


def test_noise_and_bone_are_no_metal():
    fault = PlantedFault()
    fault.ct[fault.mask("femur_left")] = 2200
    fault.ct.ravel()[:: fault.ct.size // 50] = 3071  # scattered voxels
    assert not fault.flags("metal")


def test_the_femur_beside_metal_of_the_real_ct(shared: Path):
    flags = [flag for flag in review(real_findings(shared)) if flag.rule == "metal"]
    assert [(flag.structure, flag.level) for flag in flags] == [("femur_left", Level.CHECK)]


def test_of_the_real_ct_few_structures_are_worth_a_look(shared: Path):
    """The pancreas is in two parts, the left iliac artery has a gap of 11 mm."""
    flags = [flag for flag in review(real_findings(shared)) if flag.level != Level.CUT and flag.rule != "metal"]
    assert {(flag.rule, flag.structure) for flag in flags} == {
        ("divided", "pancreas"),
        ("tube_gap", "iliac_artery_left"),
    }
