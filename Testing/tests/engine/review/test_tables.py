"""The tables of Resources/Review, and that the rules speak whole sentences."""

from __future__ import annotations

from pathlib import Path

import pytest
from planted_faults import LABELS, PlantedFault
from TotalSegmentatorEngine.review.all_rules import review
from TotalSegmentatorEngine.review.measures.pair_table import pairs
from TotalSegmentatorEngine.review.measures.piece_table import piece_limits
from TotalSegmentatorWire.resources import REVIEW_FOLDER
from TotalSegmentatorWire.tables import structure_rows
from TotalSegmentatorWire.tables.review_rules import RULES, sentence_of
from TotalSegmentatorWire.tables.structure_rows import rows_by_structure


def test_every_pair_of_the_labels_is_in_the_table():
    sided = {name for name in LABELS if "_left" in name and not name.startswith(("heart", "rib_left_12"))}
    assert sided <= {pair.left for pair in pairs()}


def test_all_structures_but_those_in_any_number_of_pieces_are_judged():
    unlimited = {"portal_vein_and_splenic_vein", "small_bowel", "face"}
    assert set(LABELS) - set(piece_limits()) == unlimited


def test_every_row_says_where_it_comes_from():
    for path in REVIEW_FOLDER.glob("*.csv"):
        assert structure_rows.checked_rows(path.name, ())


@pytest.mark.parametrize(
    "row",
    ["liver_left,1,1,chosen", "rib_*,1,1,chosen\nrib_left_5,1,1,chosen", "liver,1,1,"],
    ids=["unknown", "twice", "no source"],
)
def test_a_damaged_table_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: str):
    (tmp_path / "odd.csv").write_text("structures,pieces,stray_ml,source\n" + row + "\n", "utf-8")
    monkeypatch.setattr(structure_rows, "REVIEW_FOLDER", tmp_path)
    with pytest.raises(ValueError, match=r"odd\.csv"):
        rows_by_structure("odd.csv", ("pieces", "stray_ml"))


def test_flags_of_many_rules_are_whole_sentences_and_only_what_is_asked_for_is_judged():
    fault = PlantedFault()
    fault.swap("kidney_left", "kidney_right")
    fault.add_ball("liver", (-60, 30, -20), 8)
    fault.remove("vertebrae_T8")
    fault.ct[fault.mask("spleen")] = -700
    flags = review(fault.findings())
    assert {"wrong_side", "islands", "missing_between", "mean_hu", "cut_by_scan"} <= {flag.rule for flag in flags}
    for flag in flags:
        sentence = sentence_of(flag)
        assert sentence.endswith(".") and "{" not in sentence and "None" not in sentence
        assert flag.rule in RULES and flag.place_ras_mm is not None
    asked = {"liver", "vertebrae_T8", "spleen"}
    assert review(fault.findings(only=asked)) == [flag for flag in flags if flag.structure in asked]


def test_patterns_also_mean_names_that_no_table_holds():
    names = ["rib_left_5", "vertebrae_X1", "rib_left_99", "liver"]
    assert structure_rows.names_of("rib_left_* liver", names) == ["rib_left_5", "rib_left_99", "liver"]
    assert structure_rows.names_of("vertebrae_*", names) == ["vertebrae_X1"]
