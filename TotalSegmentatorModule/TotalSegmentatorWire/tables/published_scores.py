"""What the authors of a catalogue model published about each structure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from TotalSegmentatorWire.resources import STRUCTURES_FOLDER
from TotalSegmentatorWire.tables.catalogue import read_catalogue
from TotalSegmentatorWire.tables.csv_table import read_csv


def published_dice(model: str) -> Mapping[str, float]:
    """Names of structures to the mean Dice on the authors' own test set, of the catalogue model with the id ``model``.

    The tables name their sources; they hold the figures of the 1.5 mm models, which stand for the coarser models of
    the same structures as well. Empty for a model that the catalogue does not hold.
    """
    name = _table_names().get(model)
    return _table(name) if name is not None else {}


@cache
def _table_names() -> dict[str, str]:
    return {model.id: model.structures for model in read_catalogue().values()}


@cache
def _table(name: str) -> dict[str, float]:
    rows = read_csv(STRUCTURES_FOLDER / (name + ".csv"), frozenset(["name", "published_dice"]))
    return {row["name"]: float(row["published_dice"]) for row in rows if row["published_dice"]}
