"""The label tables: which structure has which label, name, colour and codes.

The tables are CSV files under Resources/Structures, one per label set; this module reads and checks them.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.resources import STRUCTURES_FOLDER
from TotalSegmentatorWire.tables.csv_table import read_csv

LABEL_TABLES = ("structures_104", "structures_117")
"""Names of the tables: of the structures that the models of 2022 and of 2023 find."""
CATEGORY_CONTEXT = "Segmentation category and type - DICOM master list"
REGION_CONTEXT = "Anatomic codes - DICOM master list"
GROUPS = ("organ", "bone", "muscle", "vessel", "cartilage")

_COLUMNS = frozenset(
    [
        "label",
        "name",
        "group",
        "part_model",
        "label_in_part",
        "category_code",
        "category_meaning",
        "type_code",
        "type_meaning",
        "modifier_code",
        "modifier_meaning",
        "region_code",
        "region_meaning",
        "red",
        "green",
        "blue",
        "tg263_name",
        "tg263_cut_name",
        "tg263_status",
        "fma_id",
        "published_dice",
        "published_nsd",
    ]
)


@dataclass(frozen=True)
class Structure:
    """One row of a label table. Codes are SNOMED CT; the colour is 0..255 per channel."""

    label: int
    name: str
    group: str
    part_model: str
    label_in_part: int
    category: tuple[str, str]
    """Code and meaning."""
    type: tuple[str, str]
    modifier: tuple[str, str]
    """Code and meaning of the side; two empty strings where there is none."""
    region: tuple[str, str]
    colour: tuple[int, int, int]
    tg263_name: str = ""
    """At most 16 characters (AAPM Report 263)."""
    tg263_cut_name: str = ""
    """The same for a structure of which the CT shows a part: ``Lung~_L``."""
    fma_id: str = ""
    """Number in the Foundational Model of Anatomy, side included; empty where there is none."""

    @property
    def display_name(self) -> str:
        """The name as a clinician reads it: ``kidney_left`` becomes "kidney left"."""
        return self.name.replace("_", " ")

    @property
    def terminology(self) -> str:
        """Slicer's terminology entry: context~category~type~modifier~regionContext~region~regionModifier."""
        return "~".join(
            (
                CATEGORY_CONTEXT,
                _coded(*self.category),
                _coded(*self.type),
                _coded(*self.modifier),
                REGION_CONTEXT,
                _coded(*self.region),
                "^^",
            )
        )


def _coded(code: str, meaning: str) -> str:
    return f"SCT^{code}^{meaning}" if code else "^^"


def read_structures(path: Path) -> list[Structure]:
    """All rows of a label table in label order. Raises ValueError that names the file and row that fail the schema."""
    structures = [_structure(path, row) for row in read_csv(path, _COLUMNS)]
    if [s.label for s in structures] != list(range(1, len(structures) + 1)):
        raise ValueError(f"{path.name}: labels must run from 1 without a gap")
    if len({s.name for s in structures}) != len(structures):
        raise ValueError(f"{path.name}: a name occurs twice")
    return structures


def _structure(path: Path, row: dict[str, str]) -> Structure:
    where = "{}, row {}".format(path.name, row["label"])
    if row["group"] not in GROUPS:
        raise ValueError("{}: unknown group {}".format(where, row["group"]))
    colour = (int(row["red"]), int(row["green"]), int(row["blue"]))
    if not all(0 <= channel <= 255 for channel in colour):
        raise ValueError(f"{where}: colour outside 0..255")
    if not row["type_code"].isdigit() or not row["category_code"].isdigit():
        raise ValueError(f"{where}: category and type need SNOMED CT codes")
    return Structure(
        label=int(row["label"]),
        name=row["name"],
        group=row["group"],
        part_model=row["part_model"],
        label_in_part=int(row["label_in_part"]),
        category=(row["category_code"], row["category_meaning"]),
        type=(row["type_code"], row["type_meaning"]),
        modifier=(row["modifier_code"], row["modifier_meaning"]),
        region=(row["region_code"], row["region_meaning"]),
        colour=colour,
        tg263_name=row["tg263_name"],
        tg263_cut_name=row["tg263_cut_name"],
        fma_id=row["fma_id"],
    )


def structure_table(name: str) -> list[Structure]:
    """The label table ``name`` ("structures_104" or "structures_117") of the extension's own resources."""
    return read_structures(STRUCTURES_FOLDER / (name + ".csv"))


@cache
def known_structures() -> dict[str, Structure]:
    """All structures of the label tables by their names; where several tables have one, the row of the first."""
    return {row.name: row for table in reversed(LABEL_TABLES) for row in structure_table(table)}


def family_of(found: Collection[str], fewest: float) -> frozenset[str]:
    """The names of the label table to which most of ``found`` belong; empty where fewer than ``fewest`` do."""
    names = max(map(_names_in, LABEL_TABLES), key=lambda names: len(names.intersection(found)))
    return names if len(names.intersection(found)) >= fewest else frozenset()


@cache
def _names_in(table: str) -> frozenset[str]:
    return frozenset(row.name for row in structure_table(table))


def model_names(asked: Iterable[str], known: Sequence[str]) -> list[str]:
    """The structures that somebody typed, as the model names them (``known``), each once.

    A structure may be called by the model's name, its display name or its TG-263 name; neither case matters nor the
    choice of blank, hyphen or underscore. Raises SegmentationError("STRUCTURE_UNKNOWN").
    """
    tg263 = _names_by_tg263()
    names = {_plain(name): name for name in known}
    found = []
    for typed in asked:
        plain = _plain(typed)
        name = names.get(plain) or names.get(tg263.get(plain, ""))
        if name is None:
            raise SegmentationError("STRUCTURE_UNKNOWN", name=typed, nearest=", ".join(nearest_names(plain, known)))
        found.append(name)
    return list(dict.fromkeys(found))


@cache
def _names_by_tg263() -> dict[str, str]:
    """TG-263 names, whole and cut by the field of view, to names of structures; both plain."""
    rows = [row for table in LABEL_TABLES for row in structure_table(table)]
    return {_plain(name): _plain(row.name) for row in rows for name in (row.tg263_name, row.tg263_cut_name) if name}


def _plain(name: str) -> str:
    return "_".join(re.split(r"[\s_-]+", name.strip().casefold()))


def nearest_names(name: str, known: Sequence[str], count: int = 3) -> list[str]:
    """Names that hold what was typed ("L5" is vertebrae_L5), then those that are spelled alike."""
    spelling = {candidate.lower(): candidate for candidate in known}
    holding = [candidate for lower, candidate in spelling.items() if name.lower() in lower]
    alike = difflib.get_close_matches(name.lower(), spelling, n=count, cutoff=0.3)
    nearest = dict.fromkeys([*holding, *(spelling[lower] for lower in alike)])
    return list(nearest)[:count] or sorted(known)[:count]
