"""Every code of the wire has its two sentences on the Slicer side, word for word."""

from __future__ import annotations

import string

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

from desktop import Desktop
from TotalSegmentatorWire.errors.problem import ERRORS, WARNINGS, Problem

DEFINITIONS = {**ERRORS, **WARNINGS}


@pytest.fixture(scope="module")
def texts():
    with Desktop():  # gives slicer.i18n
        from TotalSegmentatorModuleLib.texts import errors as error_texts

        yield error_texts


def test_both_tables_have_the_same_codes(texts):
    assert set(texts.error_texts()) == set(DEFINITIONS)


@pytest.mark.parametrize("code", sorted(DEFINITIONS))
def test_both_sentences_are_those_of_the_wire(texts, code):
    assert texts.error_texts()[code] == (DEFINITIONS[code].what, DEFINITIONS[code].todo)


@pytest.mark.parametrize("code", sorted(DEFINITIONS))
def test_values_are_put_into_the_sentences(texts, code):
    definition = DEFINITIONS[code]
    fields = string.Formatter().parse(definition.what + definition.todo)
    values = {name: 7 for _, name, _, _ in fields if name}
    problem = Problem(code, values)

    assert texts.problem_texts(problem) == (problem.what, problem.todo)
