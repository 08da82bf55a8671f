"""Faults of vertebrae and ribs that were planted in phantoms, and what must not be flagged."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from phantom_faults import numbering, ribs, vertebrae
from phantom_faults.label_map import LabelMap, PlantedFault
from phantom_faults.random_phantoms import random_phantom
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.review.all_rules import review
from TotalSegmentatorEngine.review.measures.findings import Findings, LabelledStructure
from TotalSegmentatorWire.messages.review import Flag, Level
from TotalSegmentatorWire.tables.review_rules import sentence_of

PLACE_MM = 10.0
SPINE_AND_RIBS = ("vertebra", "rib", "numbering", "lumbar")


@cache
def body(number: int) -> LabelMap:
    """Four fields of view in turn: whole, chest, abdomen, trunk."""
    return LabelMap.of(random_phantom(number))


def flags_of(labels: LabelMap, sought: set[str] | None = None) -> list[Flag]:
    """Of the rules for vertebrae and ribs."""
    structures = [LabelledStructure(name, 0, label) for name, label in labels.table.items()]
    geometry = Geometry(labels.labels.shape, labels.ijk_to_ras)
    findings = Findings([labels.labels], structures, geometry, sought=labels.table if sought is None else sought)
    return [flag for flag in review(findings) if flag.rule.startswith(SPINE_AND_RIBS)]


def assert_found(fault: PlantedFault, flags: list[Flag]) -> None:
    found = [flag for flag in flags if flag.rule == fault.rule and flag.structure == fault.structure]
    assert len(found) == 1, flags
    assert found[0].level == fault.level
    assert np.linalg.norm(np.subtract(found[0].place_ras_mm, fault.place)) <= PLACE_MM
    assert fault.others is None or found[0].others == fault.others
    assert json.loads(json.dumps(found[0].to_json(sentence_of(found[0]))))["sentence"].strip("{}")


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_nothing_is_flagged_without_a_fault(number: int):
    assert flags_of(body(number)) == []


PLANTS = {
    f"{module.__name__.partition('.')[2]} {name}": plant
    for module in (vertebrae, ribs)
    for name, plant in module.FAULTS.items()
}


@pytest.mark.parametrize("name", PLANTS)
def test_phantom_faults_are_found(name: str):
    found = 0
    for number in (3, 1, 0, 7, 5):
        fault = PLANTS[name](body(number), np.random.default_rng([number, 16]))
        if fault is not None and found < 2:
            assert_found(fault, flags_of(fault.map))
            found += 1
    assert found == 2


@pytest.mark.parametrize("name", numbering.SHIFTED)
def test_a_shifted_run_is_proposed_to_be_renumbered_only_if_ribs_tell(name: str):
    found = 0
    for number in (1, 2, 3, 5, 9):
        fault = numbering.SHIFTED[name](body(number), np.random.default_rng([number, 16]))
        if fault is not None and found < 2:
            flags = flags_of(fault.map)
            assert_found(fault, flags)
            assert flags[0].numbers["pairs_used"] >= 4
            assert "numbering_shifted" not in {flag.rule for flag in flags_of(fault.map.without_ribs())}
            found += 1
    assert found == 2


@pytest.mark.parametrize("name", numbering.VARIANTS)
@pytest.mark.parametrize("number", [0, 2])
def test_another_number_of_vertebrae_or_ribs_is_uncertain_at_most(name: str, number: int):
    labels = numbering.VARIANTS[name](body(number))
    flags = flags_of(labels)
    assert not {"numbering_shifted", "ribs_misnumbered"} & {flag.rule for flag in flags}
    uncertain = [flag for flag in flags if sentence_of(flag).startswith("Numbering uncertain")]
    assert all(flag.level == Level.CHECK for flag in uncertain)
    if "from_below" in name:
        assert len(uncertain) == 1


def test_l6_is_offered_where_the_family_has_it():
    labels = numbering.sixth_lumbar_nameless(body(0))
    with_l6 = {name for name in labels.table if name != "vertebrae_S1"} | {"vertebrae_L6"}
    offered = {}
    for sought in (set(labels.table), with_l6):
        (flag,) = flags_of(labels, sought)
        assert flag.rule == "lumbar_vertebra_more"
        offered[len(sought)] = flag.others
    assert offered == {104: ("sacrum",), 105: ("sacrum", "vertebrae_L6")}


def test_a_ct_that_is_upside_down_is_not_called_a_disordered_spine():
    upside_down = body(0).ijk_to_ras.copy()
    upside_down[2] *= -1
    flags = flags_of(replace(body(0), ijk_to_ras=upside_down))
    assert not {"vertebra_out_of_order", "vertebrae_swapped"} & {flag.rule for flag in flags}
