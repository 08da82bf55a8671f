"""A patient's names and numbers are found in what somebody typed, and nothing else is."""

from __future__ import annotations

import pytest
from TotalSegmentatorWire.identifier_words import IdentifierWords


@pytest.mark.parametrize(
    ("identifiers", "text", "redacted"),
    [
        (["Li^Bo"], "GTV Li Bo", "GTV *** ***"),
        (["Li^Bo"], "LiBo boost, liver", "*** boost, liver"),
        (["Wang^Xiaoming=王^小明"], "王小明 tumour", "*** tumour"),
        (["Wang^Xiaoming=王^小明"], "肿瘤小明 王", "肿瘤*** ***"),
        (["이^영희"], "이 영희", "*** ***"),
        (["Mueller^Eva"], "GTV_Mueller1", "GTV_***1"),
        (["M\u00fcller"], "Tumor Mu\u0308ller", "Tumor ***"),
        (["De Souza^J"], "Deep muscles J1 de souza", "Deep muscles J1 *** ***"),
        (["AB12CD34"], "AB12CD34 and node 12", "*** and node 12"),
        (["SJ-4711", "1943-07-05"], "SJ4711 of 19430705 x4711", "*** of *** x***"),
    ],
)
def test_words_of_identifiers_are_replaced(identifiers: list[str], text: str, redacted: str):
    assert IdentifierWords(identifiers).replaced(text, "***") == redacted


def test_kept_words_stay():
    words = IdentifierWords(["Heart^L5", "Colon-4711"], kept=["heart", "vertebrae L5"])
    assert words.replaced("Heart vertebrae L5 colon 4711", "") == "Heart vertebrae L5  "
