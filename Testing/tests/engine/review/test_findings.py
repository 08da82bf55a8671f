"""The measures of structures, against plain numpy, in several voxel orders."""

from __future__ import annotations

import numpy as np
import pytest
from phantom import PhantomParameters, make_phantom
from phantom.phantom import read_label_table
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorEngine.review.all_rules import review
from TotalSegmentatorEngine.review.measures.findings import MOST_PIECES, Findings, LabelledStructure
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.review import Flag, Level, flags_from_json, review_to_json
from TotalSegmentatorWire.tables.review_rules import sentence_of

CHEST = ((-200.0, 200.0), (-150.0, 150.0), (150.0, 400.0))


def findings_of(orientation: str) -> tuple[Findings, np.ndarray, Volume]:
    phantom = make_phantom(
        PhantomParameters(spacing_mm=(5.0, 5.0, 5.0), orientation=orientation, field_of_view_mm=CHEST)
    )
    geometry = Geometry(phantom.labels.shape, phantom.ijk_to_ras)
    structures = [LabelledStructure(name, 0, label) for name, label in read_label_table().items()]
    ct = Volume(phantom.ct, geometry)
    return Findings([phantom.labels], structures, geometry, ct), phantom.labels, ct


@pytest.mark.parametrize("orientation", ["LPS", "RAS", "PIR"])
def test_measures_equal_a_plain_count(orientation: str):
    findings, labels, ct = findings_of(orientation)
    table = read_label_table()
    assert set(findings) == {name for name, label in table.items() if (labels == label).any()}
    for name in ("heart_atrium_left", "rib_left_5", "lung_upper_lobe_right"):
        inside = labels == table[name]
        finding = findings[name]
        centre = ct.geometry.ijk_to_ras @ [*np.argwhere(inside).mean(axis=0)[::-1], 1.0]
        assert finding.volume_ml == pytest.approx(inside.sum() * 0.125)
        assert finding.centre_ras_mm == pytest.approx(centre[:3])
        assert np.sort(finding.hu).tolist() == np.sort(ct.array[inside]).tolist()
        assert sum(piece.voxels for piece in finding.pieces) == inside.sum()


@pytest.mark.parametrize("orientation", ["LPS", "RAI", "PIR"])
def test_the_sides_on_which_the_scan_ends_are_the_patients(orientation: str):
    findings, _labels, _ct = findings_of(orientation)
    assert findings["liver"].sides == ("feet",)
    assert findings["heart_atrium_left"].sides == ()
    cut = {flag.structure for flag in review(findings) if flag.rule == "cut_by_scan"}
    assert cut == {name for name, finding in findings.items() if finding.is_cut}


def test_flags_come_back_from_their_json():
    flag = Flag("cut_by_scan", Level.CUT, "vertebrae_T8", ("rib_left_8",), (1.0, -2.5, 3.0), {"sides": "head"})
    assert sentence_of(flag) == "The scan ends within vertebrae T8 (head)."
    assert flags_from_json(review_to_json([flag.to_json(sentence_of(flag))])) == [flag]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_pieces_of_a_line_of_voxels(axis: int):
    """cc3d fails for an array with two axes of length one and gaps."""
    labels = np.zeros((6, 6, 6), np.uint8)
    labels[tuple([0, 2, 4] if each == axis else 3 for each in range(3))] = 1
    geometry = Geometry(labels.shape, np.diag([2.0, 2.0, 2.0, 1.0]))
    findings = Findings([labels], [LabelledStructure("liver", 0, 1)], geometry)
    assert [piece.voxels for piece in findings["liver"].pieces] == [1, 1, 1]
    assert [flag.rule for flag in review(findings)] == ["cut_by_scan"]


def test_noise_is_judged_by_its_largest_pieces():
    """A model of one's own that is no good must not keep its user waiting."""
    labels = np.zeros((40, 60, 60), np.uint8)
    labels[1:-1:3, 1:-1:3, 1:-1:3] = 1
    labels[10:30, 10:30, 10:30] = 1
    geometry = Geometry(labels.shape, np.diag([2.0, 2.0, 2.0, 1.0]))
    pieces = Findings([labels], [LabelledStructure("liver", 0, 1)], geometry)["liver"].pieces
    assert len(pieces) == MOST_PIECES
    assert (pieces[0].voxels, pieces[1].voxels) == (20**3, 1)


def test_the_review_listens_for_cancellation_at_each_structure():
    """While it measures, and within each rule that looks at the structures' voxels."""
    given, _labels, _ct = findings_of("LPS")
    structures = [LabelledStructure(each.name, each.layer, each.label) for each in given.values()]
    layers = [np.ascontiguousarray(layer) for layer in given.layers]
    volume = Volume(np.ascontiguousarray(given.ct), given.geometry)

    def listened(calls_left: int) -> int:
        """How often it was asked; whoever asks then is told to stop."""
        calls = 0

        def listen() -> None:
            nonlocal calls
            calls += 1
            if calls == calls_left:
                raise SegmentationError("CANCELLED")

        review(Findings(layers, structures, given.geometry, volume, check_cancelled=listen))
        return calls

    asked = listened(-1)
    assert asked > 5 * len(structures)
    for calls_left in (1, asked // 2, asked):
        with pytest.raises(SegmentationError) as end:
            listened(calls_left)
        assert end.value.code == "CANCELLED"
