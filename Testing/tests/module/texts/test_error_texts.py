"""The sentences for errors: Slicer's translation tools find each one, and the panel shows its translation."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from pathlib import Path

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import PySide6
from desktop import Desktop
from TotalSegmentatorWire.errors.problem import ERRORS, WARNINGS, Problem

DEFINITIONS = ERRORS | WARNINGS
SHEARED = Problem("INPUT_SHEARED", {"degrees": 1.25})


@pytest.fixture(scope="module")
def texts():
    with Desktop():  # gives slicer.i18n
        from TotalSegmentatorModuleLib.texts import errors as error_texts

        yield error_texts


@pytest.fixture
def i18n(texts, monkeypatch):
    import slicer.i18n

    monkeypatch.setattr(slicer.i18n, "TRANSLATIONS", {})
    return slicer.i18n


def lupdate() -> Path:
    """Qt's string extractor, which PySide6 brings; Slicer uses that of Qt 6.3 or later."""
    return Path(PySide6.__file__).with_name("lupdate.exe" if sys.platform == "win32" else "lupdate")


def extracted(sources: list[Path], folder: Path) -> dict[str, Counter[str]]:
    """Context to its strings and how often each occurs, as Slicer's ``update_translations.py`` extracts them.

    Before it runs lupdate, it rewrites ``_("...")`` into ``translate("context", "...")`` by a regular expression: from
    the opening quote to the first quote of that kind before a closing parenthesis.
    """
    call = re.compile(r"([^_])_\((\s*([\"']).+?\3\s*)\)", re.DOTALL)
    for source in sources:
        context = f"{source.parent.name}.{source.stem}"
        code = call.sub(rf'\1translate("{context}", \2)', source.read_text(encoding="utf-8"))
        (folder / source.name).write_text(code, encoding="utf-8")
    names = [source.name for source in sources]
    subprocess.run([lupdate(), *names, "-ts", "errors_de.ts"], cwd=folder, check=True, capture_output=True)
    return {
        context.findtext("name"): Counter(
            {message.findtext("source"): len(message.findall("location")) for message in context.iter("message")}
        )
        for context in ET.parse(folder / "errors_de.ts").getroot().iter("context")
    }


def test_slicers_tools_find_each_sentence_of_each_code_once(i18n, tmp_path):
    sentences = defaultdict(Counter)
    for definition in DEFINITIONS.values():
        sentences[i18n.getContext(definition.source_file)].update([definition.what, definition.todo])
    sources = sorted({Path(definition.source_file) for definition in DEFINITIONS.values()})

    assert extracted(sources, tmp_path) == sentences


def test_english_is_shown_where_there_is_no_translation(texts, i18n):
    assert texts.problem_texts(SHEARED) == (SHEARED.what, SHEARED.todo)


def test_translation_is_shown_with_the_values(texts, i18n):
    what, todo = SHEARED.definition.what, SHEARED.definition.todo
    i18n.TRANSLATIONS["errors.job_errors", what] = "Die Achsen sind um {degrees:.2f} Grad schief."
    i18n.TRANSLATIONS["errors.job_errors", todo] = "Bilden Sie das Volumen neu ab."

    assert texts.problem_texts(SHEARED) == ("Die Achsen sind um 1.25 Grad schief.", "Bilden Sie das Volumen neu ab.")


@pytest.mark.parametrize("translation", ["{grad:.2f} Grad", "{degrees} {} Grad", "{degrees:d} Grad", "{degrees"])
def test_translation_with_wrong_placeholders_is_passed_over(texts, i18n, translation):
    i18n.TRANSLATIONS["errors.job_errors", SHEARED.definition.what] = translation

    assert texts.problem_texts(SHEARED) == (SHEARED.what, SHEARED.todo)
