"""Outcomes of CTs as a run keeps them, made up: what the table, the report and their benchmark are fed with."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from TotalSegmentatorEngine.batch.store.outcome import FAILED, Outcome, OutcomeError, StructureOutcome
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.review import Flag, Level
from TotalSegmentatorWire.tables.review_rules import sentence_of
from TotalSegmentatorWire.tables.structures import known_structures, structure_table
from TotalSegmentatorWire.tables.usual_ranges import volume_ranges

MODEL, PROFILE = "104-3mm", "nnunet"
VERSIONS = {"engine": "0.1.0", "nnunetv2": "2.6.2", "torch": "2.8.0"}
PERCENTS = ("5", "10", "25", "50", "75", "90", "95")


def id_of(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()[:12]


def structure(name: str, volume_ml: float, mean_hu: float = 40.0, **fields: Any) -> StructureOutcome:
    percentiles = {percent: round(mean_hu + (int(percent) - 50) * 0.6, 2) for percent in PERCENTS}
    label = known_structures()[name].label
    known = {"percentiles_hu": percentiles, "is_cut": False} | fields
    return StructureOutcome(name, label, round(volume_ml * 100), volume_ml, mean_hu, **known)


def flag(rule: str, level: str, name: str, **numbers: float | int | str) -> dict[str, Any]:
    made = Flag(rule, level, name, (), (10.0, 20.0, 30.0), numbers)
    return made.to_json(sentence_of(made))


def cut_flag(name: str, sides: str) -> dict[str, Any]:
    return flag("cut_by_scan", Level.CUT, name, sides=sides)


def outcome(number: int, structures: tuple[StructureOutcome, ...] = (), **fields: Any) -> Outcome:
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    known: dict[str, Any] = {
        "model": MODEL, "profile": PROFILE, "device": "cpu", "options": JobOptions().to_json(), "versions": VERSIONS,
        "model_digest": "d" * 64, "seconds": {"predicting": 11.5, "total": 21.25}, "shape": (150, 512, 512),
        "spacing_mm": (0.8, 0.8, 3.0), "state": "done",
    }  # fmt: skip
    return Outcome(id_of(number), digest, "0" * 64, structures=structures, **(known | fields))


def failed(number: int, code: str, **numbers: float) -> Outcome:
    return outcome(number, state=FAILED, error=OutcomeError(code, numbers), model="", profile="", device="",
                   shape=None, spacing_mm=None)  # fmt: skip


def large_cohort(count: int, seed: int = 0) -> list[Outcome]:
    """Of whole bodies with all 104 structures, in the order of their ids: volumes scatter about what is usual, every
    fifth CT has remarks that ask for a look, every fiftieth has failed."""
    random = np.random.default_rng(seed)
    made = [failed(number, "INPUT_MISSING_SLICES", missing=3, position_mm=float(number)) if number % 50 == 49
            else _body(number, random) for number in range(count)]  # fmt: skip
    return sorted(made, key=lambda each: each.id)


def _body(number: int, random: np.random.Generator) -> Outcome:
    ranges = volume_ranges()
    structures, flags = [], []
    size = float(random.normal(1.0, 0.12))
    for row in structure_table("structures_104"):
        usual = ranges.get(row.name)
        middle = 50.0 if usual is None else ((usual.low or usual.high / 4) * (usual.high or usual.low * 4)) ** 0.5
        volume = round(middle * size * float(random.lognormal(0.0, 0.15)), 3)
        own = []
        if number % 5 == 0 and random.random() < 0.03:
            own.append(
                flag("wrong_side", Level.WRONG, row.name, distance_mm=12)
                if random.random() < 0.4
                else flag("second_opinion", Level.CHECK, row.name, volume_ml=14, distance_mm=6)
            )
            volume = round(volume * 0.3, 3)
        if row.name in ("femur_left", "femur_right", "brain"):
            own.append(cut_flag(row.name, "head" if row.name == "brain" else "feet"))
        levels = [each["level"] for each in own]
        rules = tuple(each["rule"] for each in own)
        more = {"is_cut": "cut" in levels, "flags": rules, "level": levels[0] if levels else ""}
        structures.append(structure(row.name, volume, float(random.normal(60, 10)), **more))
        flags += own
    return outcome(number, tuple(structures), flags=tuple(flags))
