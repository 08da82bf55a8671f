"""Faults of vertebrae and ribs that were planted in phantoms, and what must not be flagged."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from phantom.phantom import read_label_table
from phantom_faults import numbering, ribs, vertebrae
from phantom_faults.label_map import VERTEBRAE, LabelMap, PlantedFault
from phantom_faults.random_phantoms import random_phantom
from phantom_faults.reviewed import as_written, changed_structures
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.imaging.image_files import read_nifti
from TotalSegmentatorEngine.review.all_rules import review
from TotalSegmentatorEngine.review.measures.findings import Findings, LabelledStructure
from TotalSegmentatorEngine.review.spine.bones import spine_of
from TotalSegmentatorEngine.review.spine.rib_heads import rib_heads
from TotalSegmentatorWire.messages.review import Flag, Level
from TotalSegmentatorWire.tables.review_rules import RULES, Repair, sentence_of

PLACE_MM = 10.0
SPINE_AND_RIBS = ("vertebra", "rib", "numbering", "lumbar")


@cache
def body(number: int) -> LabelMap:
    """Four fields of view in turn: whole, chest, abdomen, trunk."""
    return LabelMap.of(random_phantom(number))


@cache
def before(number: int) -> Findings:
    findings = findings_of(body(number))
    review(findings)
    return findings


def flags_of(
    labels: LabelMap, sought: set[str] | None = None, only: set[str] | None = None, known: Findings | None = None
) -> list[Flag]:
    """Of the rules for vertebrae and ribs."""
    return [flag for flag in review(findings_of(labels, sought, only, known)) if flag.rule.startswith(SPINE_AND_RIBS)]


def findings_of(
    labels: LabelMap, sought: set[str] | None = None, only: set[str] | None = None, known: Findings | None = None
) -> Findings:
    structures = [LabelledStructure(name, 0, label) for name, label in labels.table.items()]
    geometry = Geometry(labels.labels.shape, labels.ijk_to_ras)
    sought = set(labels.table) if sought is None else sought
    return Findings([labels.labels], structures, geometry, sought=sought, only=only, known=known)


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


@pytest.mark.parametrize("number", [3, 8])
def test_nothing_is_flagged_in_a_narrow_field_of_view(number: int):
    """It cuts the vertebrae at their sides, too."""
    rng = np.random.default_rng(number)
    whole = body(number)
    part = tuple(slice(int(size * rng.uniform(0, 0.4)), int(size * rng.uniform(0.6, 1))) for size in whole.labels.shape)
    matrix = whole.ijk_to_ras.copy()
    matrix[:3, 3] = whole.ras(np.array([each.start for each in part]))
    narrow = LabelMap(np.ascontiguousarray(whole.labels[part]), matrix, whole.table)
    assert flags_of(narrow) == []


PLANTS = {
    f"{module.__name__.partition('.')[2]} {name}": plant
    for module in (vertebrae, ribs, numbering)
    for name, plant in module.FAULTS.items()
}


@pytest.mark.parametrize("name", PLANTS)
def test_planted_faults_are_found(name: str):
    found = 0
    for number in (3, 1, 0, 5, 2, 6):
        fault = PLANTS[name](body(number), np.random.default_rng([number, 16]))
        if fault is not None and found < 2:
            flags = flags_of(fault.map)
            assert_found(fault, flags)
            if fault.map.labels.shape == body(number).labels.shape:
                changed = changed_structures(body(number), fault.map)
                again = flags_of(fault.map, only=changed, known=before(number))
                assert as_written(again) == as_written(flag for flag in flags if flag.structure in changed)
            found += 1
    assert found == 2


@pytest.mark.parametrize("name", ["vertebrae_T6", "rib_left_6"])
def test_after_an_edit_the_rib_heads_are_those_of_a_first_measurement(name: str):
    """Beside the edited bone distances are measured, at the others they are taken over."""
    labels = body(0)
    voxels = labels.indices(name)
    from_the_middle = np.abs(labels.ras(voxels)[:, 0])
    edited = labels.labels.copy()
    edited[tuple(voxels[from_the_middle < np.median(from_the_middle)].T)] = 0
    changed = replace(labels, labels=edited)
    heads = [
        rib_heads(findings, spine_of(findings))
        for findings in (findings_of(changed, known=before(0)), findings_of(changed), before(0))
    ]
    again, first, unedited = (
        [(h.name, h.level, *h.place, h.distance_mm, h.next_distance_mm) for h in each] for each in heads
    )
    assert again == first
    assert again != unedited


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
        repairs = {RULES[flag.rule].repair for flag in flags if flag.rule != "vertebra_piece"}
        assert repairs == {Repair.NONE}, flags  # which of two bones of one name is wrong, nobody can tell either
    elif "pairs" in name or "named_l5" in name:
        assert {flag.level for flag in flags} <= {Level.CHECK}


@pytest.mark.parametrize(
    ("variant", "others"),
    [(numbering.sixth_lumbar_nameless, ("sacrum",)), (numbering.sixth_lumbar_named_l5, ())],
)
def test_l6_is_offered_where_the_family_has_it(variant: numbering.Variant, others: tuple[str, ...]):
    labels = variant(body(0))
    offered = []
    for sought in (set(labels.table), {*labels.table, "vertebrae_L6"}):
        (flag,) = flags_of(labels, sought)
        assert sentence_of(flag).startswith("Numbering uncertain")
        offered.append(flag.others)
    assert offered == [others, (*others, "vertebrae_L6")]


@pytest.mark.parametrize(
    ("plant", "once"),
    [
        (vertebrae.double, {"vertebra_double"}),
        (vertebrae.joined, {"vertebra_spans_two"}),
        (ribs.double, {"rib_double"}),
        (numbering.one_lumbar_less, {"lumbar_vertebra_less"}),
    ],
)
def test_one_fault_is_said_once(plant: vertebrae.Plant, once: set[str]):
    """Not also as a structure that is missing, or one in two parts."""
    fault = plant(body(3), np.random.default_rng(2))
    names = {fault.structure, *(fault.others or ()), "vertebrae_L5"}
    flags = review(findings_of(fault.map))
    assert {flag.rule for flag in flags if flag.structure in names and flag.level != Level.CUT} == once


def test_one_structure_can_be_asked_for():
    fault = vertebrae.swapped(body(0), np.random.default_rng(1))
    assert [flag.structure for flag in flags_of(fault.map, only={fault.structure})] == [fault.structure]
    assert flags_of(fault.map, only={"vertebrae_L5" if fault.structure != "vertebrae_L5" else "vertebrae_T5"}) == []


def test_the_same_vertebra_in_overlapping_segments_is_no_error():
    """Four names for the same voxels, in layers of their own; all that can be said is said, without dividing by 0."""
    labels = body(1)
    same = labels.mask("vertebrae_T5").astype(np.uint8)
    names = ["vertebrae_T5", "vertebrae_T6", "vertebrae_T7", "vertebrae_T8"]
    geometry = Geometry(same.shape, labels.ijk_to_ras)
    alone = Findings([same] * 4, [LabelledStructure(name, layer, 1) for layer, name in enumerate(names)], geometry)
    assert [flag for flag in review(alone) if flag.rule.startswith(SPINE_AND_RIBS)] == []
    others = [LabelledStructure(name, 0, label) for name, label in labels.table.items() if name not in names[1:]]
    copies = [LabelledStructure(name, layer, 1) for layer, name in enumerate(names[1:], 1)]
    with_others = Findings([labels.labels, same, same, same], [*others, *copies], geometry, sought=labels.table)
    assert all(sentence_of(flag) for flag in review(with_others))


def label_map(path: Path, table: dict[str, int]) -> LabelMap:
    volume = read_nifti(path)
    return LabelMap(volume.array.astype(np.uint8), volume.geometry.ijk_to_ras, table)


def real_result(shared: Path) -> LabelMap:
    return label_map(shared / "data" / "example_ct" / "reference_104_1.5mm.nii.gz", read_label_table())


@pytest.mark.shared
def test_nothing_is_flagged_on_a_real_result(shared: Path):
    assert flags_of(real_result(shared)) == []


@pytest.mark.shared
@pytest.mark.parametrize("name", ["double", "joined", "gap", "odd_volume", "piece_at_neighbour"])
def test_faults_planted_in_a_real_result_are_found(shared: Path, name: str):
    """The vertebrae of a real result touch each other."""
    fault = vertebrae.FAULTS[name](real_result(shared), np.random.default_rng(1))
    assert_found(fault, flags_of(fault.map))


@pytest.mark.shared
def test_a_real_vertebra_in_a_small_field_of_view_is_not_flagged(shared: Path):
    """Three vertebrae, of which the scan cuts all but one; numbered as VerSe does: C1 is 1, L5 is 24."""
    path = shared / "data" / "tptbox_vertebra" / "sub-ct_seg-vert_label-22_msk.nii.gz"
    assert flags_of(label_map(path, {name: number for number, name in enumerate(VERTEBRAE, 1)})) == []


def test_a_ct_that_is_upside_down_is_not_called_a_disordered_spine():
    upside_down = body(0).ijk_to_ras.copy()
    upside_down[2] *= -1
    flags = flags_of(replace(body(0), ijk_to_ras=upside_down))
    assert not {"vertebra_out_of_order", "vertebrae_swapped"} & {flag.rule for flag in flags}
