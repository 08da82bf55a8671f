"""Named choices of structures: Resources/Structures/presets.json names them, presets.csv holds their rows.

A row is what somebody plans or reports with, and says who makes it: a model, an export that unites or derives it, a
model whose weights need a licence, or nobody ("by hand").
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.resources import STRUCTURES_FOLDER
from TotalSegmentatorWire.tables.csv_table import read_csv
from TotalSegmentatorWire.tables.structures import structure_table

MODEL, UNION, DERIVED, LICENCE, BY_HAND = KINDS = ("model", "union", "derived", "licence", "by hand")
"""Found by a model; the union of structures; made of structures by a published or stated step; found only by a model
whose weights the publisher licenses; found by none."""
SKIN, LEFT_HALF, RIGHT_HALF = STEPS = ("skin", "left half", "right half")
"""Of derived rows: the published rule of the model body; the part of the first structure on one side of the second."""
PRIORITIES = ("essential", "standard", "optional")
WHOLE_BODY = "all"
_DEFAULT_TABLE = "structures_104"
_TABLE, _TITLES = STRUCTURES_FOLDER / "presets.csv", STRUCTURES_FOLDER / "presets.json"
_TEXTS = ("title", "tg263_name", "kind", "step", "licensed_model", "priority", "reference", "note")
_LISTS = ("names", "helpers")


@dataclass(frozen=True)
class PresetRow:
    """One line of a preset."""

    title: str
    kind: str = MODEL
    tg263_name: str = ""
    """As the guideline's structure is called in AAPM Report 263; empty where that has no name."""
    names: tuple[str, ...] = ()
    """Structures of models that make it: each as it is, or with ``kind`` UNION or DERIVED together."""
    step: str = ""
    """One of STEPS for a derived row."""
    helpers: tuple[str, ...] = ()
    """Structures of models that help whoever draws it; no model runs for them alone."""
    licensed_model: str = ""
    """TotalSegmentator's task that finds it, for ``kind`` LICENCE."""
    priority: str = "standard"
    reference: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError that says what contradicts what."""
        makes = self.kind in (MODEL, UNION, DERIVED)
        checks = {
            "no title": bool(self.title),
            f"unknown kind {self.kind}": self.kind in KINDS,
            f"unknown priority {self.priority}": self.priority in PRIORITIES,
            "names do not fit the kind": bool(self.names) == makes,
            "step does not fit the kind": self.step in STEPS if self.kind == DERIVED else not self.step,
            "a union needs two structures and a TG-263 name": self.kind != UNION
            or (len(self.names) > 1 and bool(self.tg263_name)),
            "licensed model does not fit the kind": bool(self.licensed_model) == (self.kind == LICENCE),
            "a name occurs twice": len(set(self.names)) == len(self.names),
        }
        wrong = [what for what, is_right in checks.items() if not is_right]
        if wrong:
            raise ValueError(f"row {self.title}: {wrong[0]}")


@dataclass(frozen=True)
class Preset:
    id: str
    title: str
    rows: tuple[PresetRow, ...]
    description: str = ""
    whole_family: bool = False
    """Whether all structures of the preferred family are meant, and the rows are those of the default one."""

    @property
    def structures(self) -> tuple[str, ...]:
        """Names of the structures that models compute for it, each once."""
        return tuple(dict.fromkeys(name for row in self.rows for name in row.names))

    @property
    def helpers(self) -> tuple[str, ...]:
        """Names of the structures that only help to draw others, each once."""
        named = set(self.structures)
        return tuple(dict.fromkeys(name for row in self.rows for name in row.helpers if name not in named))

    def rows_of(self, *kinds: str) -> tuple[PresetRow, ...]:
        return tuple(row for row in self.rows if row.kind in kinds)


@cache
def read_presets() -> Mapping[str, Preset]:
    """The product's own presets by id. Raises ValueError, OSError where the tables are damaged."""
    return presets_of_tables(_TITLES, _TABLE)


@cache
def references() -> Mapping[str, str]:
    """What the short names of a row's reference stand for, and what of it was read."""
    return json.loads(_TITLES.read_text(encoding="utf-8"))["references"]


@cache
def codes_by_name() -> Mapping[str, Mapping[str, str]]:
    """Codes of what presets unite or derive, by TG-263 names: ``type``, ``modifier``, ``fma``, each
    "scheme^value^meaning"."""
    return json.loads(_TITLES.read_text(encoding="utf-8"))["codes"]


def presets_of_tables(titles: Path, table: Path) -> dict[str, Preset]:
    """Raises ValueError that names the file, the row and what is wrong; OSError."""
    rows = read_csv(table, ["preset", *_TEXTS, *_LISTS])
    heads = json.loads(titles.read_text(encoding="utf-8"))["presets"]
    presets = {head["id"]: _preset(head, tuple(_rows_of(table, head["id"], rows))) for head in heads}
    strangers = {row["preset"] for row in rows} - set(presets)
    if strangers:
        raise ValueError(f"{table.name}: {titles.name} does not name {sorted(strangers)}")
    empty = [preset.id for preset in presets.values() if not preset.rows]
    if empty:
        raise ValueError(f"{table.name}: no rows for {empty}")
    return presets


def rows_of_structures(names: Iterable[tuple[str, str]]) -> tuple[PresetRow, ...]:
    """A row for each structure: its name in the label tables, and its TG-263 name."""
    return tuple(PresetRow(name.replace("_", " "), tg263_name=tg263, names=(name,)) for name, tg263 in names)


def _preset(head: dict[str, Any], rows: tuple[PresetRow, ...]) -> Preset:
    if head.get("whole_family"):
        rows = rows_of_structures((row.name, row.tg263_name) for row in structure_table(_DEFAULT_TABLE))
    return Preset(rows=rows, **head)


def _rows_of(path: Path, preset: str, rows: Iterable[dict[str, str]]) -> Iterator[PresetRow]:
    for row in rows:
        if row["preset"] == preset:
            try:
                yield PresetRow(**{key: row[key] for key in _TEXTS}, **{key: tuple(row[key].split()) for key in _LISTS})
            except ValueError as error:
                raise ValueError(f"{path.name}, {preset}: {error}") from error
