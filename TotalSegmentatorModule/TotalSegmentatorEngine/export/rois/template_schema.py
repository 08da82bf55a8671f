"""What a template may hold (template.py shows the format): its entries, and the check of a file's content."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.resources import TEMPLATES_FOLDER
from TotalSegmentatorWire.tables.csv_table import read_csv
from TotalSegmentatorWire.tables.structures import LABEL_TABLES, structure_table

from TotalSegmentatorEngine.export.core.codes import ANATOMICAL_STRUCTURE, BODY, Code, RoiCodes, parse_code
from TotalSegmentatorEngine.export.rois.tg263_names import CUT, LONGEST_NAME, name_key, valid_name

VERSION = 1
ORGAN, EXTERNAL = "ORGAN", "EXTERNAL"

_PATTERN_SIGNS = "*?["
_ENTRY_KEYS = frozenset(["source", "union_of", "needs", "name", "colour", "interpreted_type", "codes", "optional"])
_CODE_KEYS = ("category", "type", "modifier", "fma")


@dataclass(frozen=True)
class Entry:
    """One line of a template; what is empty or None comes from the segment."""

    source: str = ""
    union_of: tuple[str, ...] = ()
    needs_all: bool = False
    """Of a union: left out unless all parts are there."""
    name: str = ""
    colour: tuple[int, int, int] | None = None
    interpreted_type: str = ""
    codes: RoiCodes | None = None
    is_optional: bool = False
    """True where nobody needs to hear that the segmentation lacks it."""
    step: str = ""
    """What a preset makes of ``union_of`` in place of a union; never in a template's file."""

    @property
    def is_pattern(self) -> bool:
        return is_pattern(self.source)


@dataclass(frozen=True)
class Template:
    title: str
    description: str
    entries: tuple[Entry, ...]
    body: Entry


DEFAULT_BODY = Entry(name="Body", colour=(0, 255, 0), interpreted_type=EXTERNAL, codes=BODY)
"""TG-263: Body is the patient alone, External also what lies on them."""


def is_pattern(source: str) -> bool:
    return any(sign in source for sign in _PATTERN_SIGNS)


@cache
def interpreted_types() -> tuple[str, ...]:
    """The defined terms of RT ROI Interpreted Type (3006,00A4), PS3.3 section C.8.8.8.1."""
    return tuple(row["type"] for row in read_csv(TEMPLATES_FOLDER / "interpreted_types.csv", ["type"]))


def invalid(detail: str) -> SegmentationError:
    return SegmentationError("TEMPLATE_INVALID", detail=detail)


def template_of_json(content: Any) -> Template:
    """Raises SegmentationError("TEMPLATE_INVALID") that names the entry and what is wrong with it."""
    if not isinstance(content, dict) or not isinstance(content.get("structures"), list):
        raise invalid('the file has no list "structures"')
    _check_keys(content, {"version", "title", "description", "structures", "body"}, "the file")
    version = content.get("version")
    if type(version) is not int or version != VERSION:  # true is 1 in Python
        raise invalid(f'"version" is {json.dumps(version)}; only {VERSION} is supported')
    entries = []
    for number, line in enumerate(content["structures"], start=1):
        entries.append(_entry(line, f"entry {number}"))
    if not entries:
        raise invalid('"structures" is empty')
    _check_distinct(entries)
    return Template(
        _text(content, "title", "the file"),
        _text(content, "description", "the file"),
        tuple(entries),
        _body(content.get("body", {})),
    )


def _entry(line: Any, where: str) -> Entry:
    if isinstance(line, str):
        line = {"source": line}
    if not isinstance(line, dict):
        raise invalid(f"{where} is neither text nor an object")
    _check_keys(line, _ENTRY_KEYS, where)
    union_of = line.get("union_of", [])
    if not isinstance(union_of, list) or not all(isinstance(part, str) and part.strip() for part in union_of):
        raise invalid(f'{where}: "union_of" is not a list of names')
    entry = Entry(
        source=_text(line, "source", where),
        union_of=tuple(part.strip() for part in union_of),
        needs_all=_needs_all(line, where),
        name=_name(line, where),
        colour=_colour(line, where),
        interpreted_type=_interpreted_type(line, where),
        codes=codes_of_json(line, where),
        is_optional=_optional(line, where),
    )
    if bool(entry.source) == bool(entry.union_of):
        raise invalid(f'{where} needs either "source" or "union_of"')
    if entry.union_of and not entry.name:
        raise invalid(f'{where}: a union needs a "name"')
    if entry.is_pattern and entry.name:
        raise invalid(
            f"{where}: the pattern {entry.source} can match several structures, which cannot have the same name"
        )
    if "needs" in line and not entry.union_of:
        raise invalid(f'{where}: "needs" is only allowed with "union_of"')
    return entry


def _body(line: Any) -> Entry:
    if not isinstance(line, dict):
        raise invalid('"body" is not an object')
    _check_keys(line, {"name", "colour"}, '"body"')
    return dataclasses.replace(
        DEFAULT_BODY,
        name=_name(line, '"body"') or DEFAULT_BODY.name,
        colour=_colour(line, '"body"') or DEFAULT_BODY.colour,
    )


def _check_keys(line: dict[str, Any], known: set[str] | frozenset[str], where: str) -> None:
    unknown = sorted(set(line) - known)
    if unknown:
        raise invalid(f'{where} has an unknown key "{unknown[0]}"; the allowed keys are {", ".join(sorted(known))}')


def _check_distinct(entries: list[Entry]) -> None:
    """Two entries of one name would be numbered, and nobody could distinguish them in the planning system.

    What has no name gets that of its source: "liver" and "Liver" are the same one, "kidney_left" and "Kidney_L", too.
    """
    first: dict[str, int] = {}
    for number, entry in enumerate(entries, start=1):
        name = entry.name or entry.source
        key = name_key(name)
        if not entry.name:
            key = _tg263_keys().get(key, key)
        if first.setdefault(key, number) != number:
            raise invalid(f"entries {first[key]} and {number} have the same name {name}")


@cache
def _tg263_keys() -> dict[str, str]:
    """The name_key of a structure's own name to that of its TG-263 name."""
    rows = (row for table in LABEL_TABLES for row in structure_table(table))
    return {name_key(row.name): name_key(row.tg263_name) for row in rows if row.tg263_name}


def _text(line: dict[str, Any], key: str, where: str) -> str:
    value = line.get(key, "")
    if not isinstance(value, str) or (key in line and not value.strip()):
        raise invalid(f'{where}: "{key}" is not text')
    return value.strip()


def _name(line: dict[str, Any], where: str) -> str:
    name = _text(line, "name", where)
    if len(name) > LONGEST_NAME:
        raise invalid(f"{where}: the name {name} has {len(name)} characters; at most {LONGEST_NAME} are allowed")
    if name and valid_name(name) != name:
        raise invalid(f"{where}: the name contains a backslash, a control character or consecutive spaces")
    if CUT in name:
        raise invalid(f"{where}: the name {name} contains {CUT}, which marks structures that the image cuts off")
    return name


def _colour(line: dict[str, Any], where: str) -> tuple[int, int, int] | None:
    text = _text(line, "colour", where)
    if not text:
        return None
    digits = text.removeprefix("#")
    if len(text) != 7 or len(digits) != 6 or any(digit not in "0123456789abcdefABCDEF" for digit in digits):
        raise invalid(f"{where}: the colour {text} is not like #dd8265")
    red, green, blue = bytes.fromhex(digits)
    return red, green, blue


def _interpreted_type(line: dict[str, Any], where: str) -> str:
    kind = _text(line, "interpreted_type", where)
    if kind and kind not in interpreted_types():
        known = ", ".join(interpreted_types())
        raise invalid(f"{where}: the interpreted type {kind} is not one of {known}")
    return kind


def _needs_all(line: dict[str, Any], where: str) -> bool:
    needs = line.get("needs", "any")
    if needs not in ("any", "all"):
        raise invalid(f'{where}: "needs" is neither "any" nor "all"')
    return needs == "all"


def _optional(line: dict[str, Any], where: str) -> bool:
    optional = line.get("optional", False)
    if not isinstance(optional, bool):
        raise invalid(f'{where}: "optional" is neither true nor false')
    return optional


def codes_of_json(line: dict[str, Any], where: str) -> RoiCodes | None:
    """Of the object ``codes`` of a line. Raises SegmentationError("TEMPLATE_INVALID")."""
    if "codes" not in line:
        return None
    texts = line["codes"]
    if not isinstance(texts, dict):
        raise invalid(f'{where}: "codes" is not an object')
    _check_keys(texts, frozenset(_CODE_KEYS), f'{where}, "codes"')
    codes: dict[str, Code | None] = dict.fromkeys(_CODE_KEYS)
    for key in texts:
        codes[key] = parse_code(_text(texts, key, where))
        if codes[key] is None:
            raise invalid(f'{where}: the code "{key}" is not like SCT^39607008^Lung')
    if codes["type"] is None:
        raise invalid(f'{where}: "codes" has no "type"')
    return RoiCodes(
        category=codes["category"] or ANATOMICAL_STRUCTURE,
        type=codes["type"],
        modifier=codes["modifier"],
        fma=codes["fma"],
    )
