"""A user's own presets: JSON files that can be shared.

::

    {
     "format": "TotalSegmentatorModule preset",
     "version": 1,
     "title": "Lung SBRT",
     "rows": [
      "liver",
      {"title": "lungs", "kind": "union", "tg263_name": "Lungs", "names": ["lung_upper_lobe_left", "..."]},
      {"title": "brachial plexus left", "kind": "by hand", "tg263_name": "BrachialPlex_L"}
     ]
    }

A text is a structure of the label tables, by any of its names; an object has the fields of a PresetRow, those that are
missing as they are there by default.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.choice.presets import MODEL, Preset, PresetRow
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.structures import known_structures, model_names

FORMAT, VERSION = "TotalSegmentatorModule preset", 1
SUFFIX = ".preset.json"
"""Of the files; others are read as well."""
_FILE_FIELDS = {"format", "version", "title", "description", "rows"}
_FIELDS = {field.name: field for field in dataclasses.fields(PresetRow)}
_LISTS = ("names", "helpers")
_LONGEST_FILE = 1_000_000
"""Bytes; the largest of our own has a tenth of it."""


def read_own_preset(path: Path) -> Preset:
    """The preset of a file; its id is made of the title.

    Raises SegmentationError("PRESET_INVALID") that says what is wrong with the file.
    """
    try:
        if path.stat().st_size > _LONGEST_FILE:
            raise _invalid("it is too long")
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise _invalid("it cannot be read") from error
    except (ValueError, RecursionError) as error:
        raise _invalid("it is not JSON in UTF-8") from error
    return preset_from_json(content)


def write_own_preset(path: Path, preset: Preset) -> None:
    """Replaces what was there, whole or not at all. Raises OSError."""
    text = json.dumps(preset_to_json(preset), indent=1, ensure_ascii=False)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text + "\n", encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def preset_to_json(preset: Preset) -> dict[str, Any]:
    head = {"format": FORMAT, "version": VERSION, "title": preset.title}
    if preset.description:
        head["description"] = preset.description
    return head | {"rows": [_row_to_json(row) for row in preset.rows]}


def preset_from_json(content: Any) -> Preset:
    """Raises SegmentationError("PRESET_INVALID")."""
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise _invalid(f'it does not say "format": "{FORMAT}"')
    if content.get("version") != VERSION or isinstance(content["version"], bool):
        raise _invalid(f'"version" is not {VERSION}')
    _check_fields(content, _FILE_FIELDS, "the file")
    title = _text(content, "title", "the file")
    if not title:
        raise _invalid('"title" is empty')
    rows = content.get("rows")
    if not isinstance(rows, list) or not rows:
        raise _invalid('"rows" is no list, or empty')
    checked = tuple(_row_from_json(row, f"row {number}") for number, row in enumerate(rows, start=1))
    return Preset(own_id(title), title, checked, _text(content, "description", "the file"))


def own_id(title: str) -> str:
    """ "Lung SBRT" becomes "own-lung-sbrt"."""
    return "own-" + "-".join(re.findall(r"\w+", title.lower()))


def row_of_structure(name: str) -> PresetRow:
    """The row of one structure of the label tables. Raises SegmentationError("STRUCTURE_UNKNOWN")."""
    known = known_structures()
    (found,) = model_names([name], list(known))
    return PresetRow(known[found].display_name, tg263_name=known[found].tg263_name, names=(found,))


def _row_to_json(row: PresetRow) -> str | dict[str, Any]:
    is_one = row.kind == MODEL and len(row.names) == 1 and row.names[0] in known_structures()
    if is_one and row == row_of_structure(row.names[0]):
        return row.names[0]
    values = {name: getattr(row, name) for name, field in _FIELDS.items() if getattr(row, name) != field.default}
    return {name: list(value) if name in _LISTS else value for name, value in values.items()}


def _row_from_json(row: Any, where: str) -> PresetRow:
    if isinstance(row, str):
        try:
            return row_of_structure(row)
        except SegmentationError as error:
            raise _invalid(f"{where}: {error.problem.what}") from error
    if not isinstance(row, dict):
        raise _invalid(f"{where} is neither text nor an object")
    _check_fields(row, set(_FIELDS), where)
    values: dict[str, Any] = {name: _text(row, name, where) for name in row if name not in _LISTS}
    values |= {name: _names(row, name, where) for name in _LISTS if name in row}
    try:
        return PresetRow(**{"title": ""} | values)
    except ValueError as error:
        raise _invalid(str(error)) from error


def _check_fields(content: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(content) - known)
    if unknown:
        raise _invalid(f'{where} has the unknown field "{unknown[0][:40]}"')


def _text(content: Mapping[str, Any], field: str, where: str) -> str:
    value = content.get(field, "")
    if not isinstance(value, str):
        raise _invalid(f'{where}: "{field}" is no text')
    return value.strip()


def _names(row: Mapping[str, Any], field: str, where: str) -> tuple[str, ...]:
    value = row[field]
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise _invalid(f'{where}: "{field}" is no list of names')
    unknown = [name for name in value if name not in known_structures()]
    if unknown:
        raise _invalid(f"{where}: no model has a structure called {unknown[0][:60]}")
    return tuple(value)


def _invalid(detail: str) -> SegmentationError:
    return SegmentationError("PRESET_INVALID", detail=detail)
