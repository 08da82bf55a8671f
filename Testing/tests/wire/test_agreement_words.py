"""The agreement of approximate labels in words and in the tags of segments."""

from __future__ import annotations

import dataclasses

import pytest
from agreements import GOOD, LOW
from TotalSegmentatorWire.agreement.kept import agreement_from_tag, agreement_of, agreement_tag
from TotalSegmentatorWire.agreement.words import agreement_details, agreement_line, percent_text
from TotalSegmentatorWire.messages.agreement import Share


@pytest.mark.parametrize(
    "agreement",
    [
        GOOD,
        LOW,
        dataclasses.replace(GOOD, lowest_structure="", lowest=None),
        dataclasses.replace(GOOD, lowest_structure="my organ=2:é", voxels=Share(1.0, 0.999991, 1.0)),
    ],
)
def test_a_tag_gives_back_what_was_measured(agreement):
    read = agreement_from_tag(agreement_tag(agreement))
    assert dataclasses.replace(read, seconds=0.0) == dataclasses.replace(agreement, seconds=0.0)
    assert abs(read.seconds - agreement.seconds) <= 0.05
    assert agreement_of(agreement.to_json()) == agreement


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0.99",
        agreement_tag(GOOD).replace("0.994", "1.2"),
        agreement_tag(GOOD).replace("4/120", "4"),
        agreement_tag(GOOD).replace("least=0.98", "least=nan"),
        agreement_tag(GOOD).replace("seconds=", "pauses="),
    ],
)
def test_a_tag_of_another_make_says_nothing(text):
    assert agreement_from_tag(text) is None and agreement_of({"voxels": text}) is None


@pytest.mark.parametrize(
    ("share", "percent"),
    [(0.0, "0.0"), (0.98, "98.0"), (0.9949, "99.4"), (0.9995, "99.95"), (0.99996, "99.996"), (1.0, "100")],
)
def test_what_is_not_all_never_reads_100_percent(share, percent):
    assert percent_text(share) == percent
    assert percent_text(0.99999999) != "100"


def test_the_words_name_the_threshold_where_it_is_missed_and_no_structure_where_none_is_known():
    assert not any("98.0 %" in sentence for sentence in agreement_details(GOOD))
    assert "98.0 %" in agreement_details(LOW)[0]
    nameless = dataclasses.replace(GOOD, lowest_structure="", lowest=None)
    assert len(agreement_details(nameless)) == len(agreement_details(GOOD)) - 1


def test_each_sentence_and_each_approximation_is_translated_by_itself():
    german = {"reduced precision": "halbe Genauigkeit", "cropped to the structures": "beschnitten"}
    line = agreement_line(LOW, lambda text: german.get(text, "{percent} % wie exakt: {approximations}"))
    assert line == "95.1 % wie exakt: halbe Genauigkeit, beschnitten"
    for wrong in ("{prozent} %", "{percent} {} %", "{percent:d}", "{percent"):
        assert agreement_line(LOW, lambda text, wrong=wrong: wrong if "{" in text else text) == agreement_line(LOW)
