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

WHOLE_BODY_TABLES = ("structures_104", "structures_117", "structures_117_v3")
"""Of the structures that the models of 2022, of 2023 and of 2026 find; of the last one there is only the table."""
TASK_TABLES = (
    *("structures_body", "structures_head_glands_cavities", "structures_headneck_bones_vessels"),
    *("structures_headneck_muscles", "structures_head_muscles", "structures_craniofacial_structures"),
    *("structures_teeth", "structures_oculomotor_muscles", "structures_breasts", "structures_lung_vessels"),
    *("structures_lung_vessels_LEGACY", "structures_lung_nodules", "structures_pleural_pericard_effusion"),
    *("structures_trunk_cavities", "structures_liver_segments", "structures_liver_vessels"),
    *("structures_liver_lesions", "structures_kidney_cysts", "structures_abdominal_muscles"),
    *("structures_hip_implant", "structures_cerebral_bleed", "structures_ventricle_parts"),
    *("structures_vertebrae_body", "structures_vertebrae_pp"),
)
"""Of the structures that the models for single regions find."""
LABEL_TABLES = (*WHOLE_BODY_TABLES, *TASK_TABLES)
"""Names of all tables. They agree about the structures that they share but for the label values; where two have a
structure of the same TG-263 name, the first one's is meant."""
CATEGORY_CONTEXT = "Segmentation category and type - DICOM master list"
REGION_CONTEXT = "Anatomic codes - DICOM master list"
GROUPS = ("organ", "bone", "muscle", "vessel", "cartilage", "tooth", "cavity", "region", "lesion", "device")
OCCASIONAL_GROUPS = ("lesion", "device")
"""What most people do not have: it is not missing where a model did not find it."""

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
    """The label table ``name``, one of LABEL_TABLES, of the extension's own resources."""
    return read_structures(STRUCTURES_FOLDER / (name + ".csv"))


@cache
def known_structures() -> dict[str, Structure]:
    """All structures of the label tables by their names; where several tables have one, the row of the first.

    In the order in which they are listed: the whole body's with neighbours together, then those of the tasks.
    """
    order = (*reversed(WHOLE_BODY_TABLES[:2]), *WHOLE_BODY_TABLES[2:], *TASK_TABLES)
    names = dict.fromkeys(row.name for table in order for row in structure_table(table))
    first: dict[str, Structure] = {}
    for table in LABEL_TABLES:
        for row in structure_table(table):
            first.setdefault(row.name, row)
    return {name: first[name] for name in names}


def is_occasional(name: str) -> bool:
    """Whether the structure of a label table is one that most people do not have, a lesion or a device."""
    row = known_structures().get(name)
    return row is not None and row.group in OCCASIONAL_GROUPS


def family_of(found: Collection[str], fewest: float) -> frozenset[str]:
    """The names of the label table to which most of ``found`` belong; empty where fewer than ``fewest`` do.

    Lesions and devices are left out: a body without them is whole.
    """
    names = max(map(_names_in, LABEL_TABLES), key=lambda names: len(names.intersection(found)))
    if len(names.intersection(found)) < fewest:
        return frozenset()
    return frozenset(name for name in names if not is_occasional(name))


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
        name = next((names[each] for each in (plain, *tg263.get(plain, ())) if each in names), None)
        if name is None:
            raise SegmentationError("STRUCTURE_UNKNOWN", name=typed, nearest=", ".join(nearest_names(plain, known)))
        found.append(name)
    return list(dict.fromkeys(found))


@cache
def _names_by_tg263() -> dict[str, tuple[str, ...]]:
    """TG-263 names, whole and cut by the field of view, to the names of structures that have them; all plain."""
    found: dict[str, dict[str, None]] = {}
    for row in known_structures().values():
        for name in (row.tg263_name, row.tg263_cut_name):
            if name:
                found.setdefault(_plain(name), {})[_plain(row.name)] = None
    return {name: tuple(structures) for name, structures in found.items()}


def _plain(name: str) -> str:
    return "_".join(re.split(r"[\s_-]+", name.strip().casefold()))


def nearest_names(name: str, known: Sequence[str], count: int = 3) -> list[str]:
    """Names that hold what was typed ("L5" is vertebrae_L5), then those that are spelled alike."""
    spelling = {candidate.lower(): candidate for candidate in known}
    holding = [candidate for lower, candidate in spelling.items() if name.lower() in lower]
    alike = difflib.get_close_matches(name.lower(), spelling, n=count, cutoff=0.3)
    nearest = dict.fromkeys([*holding, *(spelling[lower] for lower in alike)])
    return list(nearest)[:count] or sorted(known)[:count]
