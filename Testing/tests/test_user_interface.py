"""What every widget and every text of the panel has: a tool tip, a key of its own, words that can be translated."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from places import MODULE_FOLDER, tracked

UI_FILES = sorted((MODULE_FOLDER / "Resources" / "UI").glob("*.ui"))
CONTAINERS = {"QWidget", "QFrame"}
MENUS = set("fevh")
"""Alt with these letters opens Slicer's own menus: File, Edit, View, Help."""
BESIDE_THE_TITLES = ("Inputs", "Progress", "Messages", "UnimportedResults")
"""Parts of the panel that are not in a section."""
SHOWING = {
    "setText",
    "setToolTip",
    "setWindowTitle",
    "setTitle",
    "setPlaceholderText",
    "setStatusTip",
    "setInformativeText",
    "addItem",
    "addAction",
    "addMenu",
    "addButton",
    "setHorizontalHeaderLabels",
    "setFormat",
    "showStatusMessage",
    "errorDisplay",
    "warningDisplay",
    "infoDisplay",
    "confirmOkCancelDisplay",
    "confirmYesNoDisplay",
    "delayDisplay",
}
"""Functions whose first argument the user reads."""
SHOWING_PROPERTIES = {"text", "toolTip", "title", "windowTitle", "placeholderText", "statusTip"}


def widgets(path: Path) -> Iterator[tuple[str, str, dict[str, ElementTree.Element]]]:
    """Class, name and properties of each widget of a .ui file."""
    for widget in ElementTree.parse(path).getroot().iter("widget"):
        properties = {each.get("name", ""): each for each in widget.findall("property")}
        yield widget.get("class", ""), widget.get("name", ""), properties


def text_of(properties: dict[str, ElementTree.Element], name: str) -> str:
    return (properties[name].findtext("string") or "").strip() if name in properties else ""


@pytest.mark.parametrize("path", UI_FILES, ids=lambda path: path.stem)
def test_every_widget_has_a_tool_tip(path: Path):
    """What can be used or shows a state has its own; the label of a field shows its field's (load_panel)."""
    missing = []
    for kind, name, properties in widgets(path):
        if kind in CONTAINERS or text_of(properties, "toolTip"):
            continue
        if kind == "QLabel":
            if text_of(properties, "text").endswith(":") and "buddy" not in properties:
                missing.append(f"{name} has no buddy")
        else:
            missing.append(name)
    assert missing == []


@pytest.mark.parametrize("path", UI_FILES, ids=lambda path: path.stem)
def test_keys_are_unique_in_a_section_and_leave_slicers_menus_alone(path: Path):
    keys = Counter()
    for kind, name, properties in widgets(path):
        letters = re.findall(r"&(\w)", text_of(properties, "text").replace("&&", "").lower())
        assert len(letters) <= 1, name
        assert not letters or kind != "QLabel" or "buddy" in properties, f"{name} has no field"
        keys.update(letters)
    assert {letter for letter, count in keys.items() if count > 1} == set()
    assert not MENUS & set(keys)


def test_titles_of_sections_have_keys_that_no_other_title_has():
    titles = [
        text_of(properties, "text")
        for path in UI_FILES
        for kind, _, properties in widgets(path)
        if kind == "ctkCollapsibleButton"
    ]
    keys = [letter for title in titles for letter in re.findall(r"&(\w)", title.lower())]
    assert len(keys) == len(set(keys)) >= 5
    always_in_sight = " ".join(
        text_of(properties, "text") for path in UI_FILES if path.stem in BESIDE_THE_TITLES
        for _, _, properties in widgets(path)
    )  # fmt: skip
    assert not set(keys) & set(re.findall(r"&(\w)", always_in_sight.lower()))


@pytest.mark.parametrize("path", UI_FILES, ids=lambda path: path.stem)
def test_buddies_exist_and_follow_the_order_of_the_fields(path: Path):
    """The Tab key goes through the widgets in the order of the file, as it is loaded."""
    names = [name for _, name, _ in widgets(path)]
    buddies = [(name, properties["buddy"].findtext("cstring")) for _, name, properties in widgets(path)
               if "buddy" in properties]  # fmt: skip
    assert [buddy for _, buddy in buddies if buddy not in names] == []
    places = [names.index(buddy) for _, buddy in buddies]
    assert places == sorted(places)


def untranslated(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of literals that are shown as they are."""
    for node in ast.walk(tree):
        shown: list[ast.expr] = []
        if isinstance(node, ast.Call):
            function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if function in SHOWING:
                shown = node.args[:1]
        elif isinstance(node, ast.Assign):
            targets = [target.attr for target in node.targets if isinstance(target, ast.Attribute)]
            if SHOWING_PROPERTIES.intersection(targets):
                shown = [node.value]
        for argument in shown:
            literals = [each for each in ast.walk(argument) if isinstance(each, ast.Constant)]
            wrapped = {id(each) for call in ast.walk(argument) if is_tr(call) for each in ast.walk(call)}
            for literal in literals:
                is_words = isinstance(literal.value, str) and re.search(r"[A-Za-z]{2}", literal.value)
                if is_words and id(literal) not in wrapped and not is_format(literal.value):
                    yield node.lineno, literal.value


def is_tr(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("_", "tr", "translate")


def is_format(text: str) -> bool:
    """Signs and places for values, without a word: "{}: {} {}"."""
    return not re.search(r"[A-Za-z]{2}", re.sub(r"\{[^}]*\}|<[^>]*>", "", text))


def test_every_text_that_is_shown_is_translatable():
    wrong = [
        "{}:{} {!r}".format(path.relative_to(MODULE_FOLDER), line, text)
        for path in tracked(MODULE_FOLDER)
        if path.suffix == ".py" and path.parts[len(MODULE_FOLDER.parts)].startswith("TotalSegmentatorModule")
        for line, text in untranslated(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ('label.setText("Not found")', 1),
        ('label.setText(_("Not found"))', 0),
        ('label.setText("{}: {}".format(a, b))', 0),
        ('label.setText(_("a b") if x else "some words")', 1),
        ('label.toolTip = "Some words"', 1),
        ('slicer.util.errorDisplay("Some words")', 1),
    ],
)
def test_untranslated_texts_are_found(code: str, count: int):
    assert len(list(untranslated(ast.parse(code)))) == count
