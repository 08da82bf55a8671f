"""What the published program does around a network: the crop before it and the steps after it, as the catalogue has
them in Resources/Models.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_STEPS = {
    "largest_blob": ("structures",),
    "remove_small_blobs": ("structures", "above_mm3"),
    "drop_labels": ("labels",),
    "relabel_touching_vertebrae": ("above_mm3",),
    "dilate_each_label": ("mm",),
    "clip_to": ("structures", "model"),
}
"""The steps and what each of them needs."""
_GRIDS = ("network", "ct")


@dataclass(frozen=True)
class CropRule:
    """The network runs in the box of what a coarser model finds. Where that finds nothing, the result is empty."""

    classes: tuple[str, ...]
    """Structures of the coarse model; the box holds all of them."""
    model: str
    """Id of the coarse model."""
    margin_mm: float
    """The *effective* margin on each side, which is cut to whole voxels of the CT."""


@dataclass(frozen=True)
class PublishedStep:
    """One step of the published post-processing; what it does stands in TotalSegmentatorEngine's published_steps."""

    step: str
    grid: str
    """"network": on the labels as the network gives them, in canonical orientation; "ct": on the CT's grid."""
    structures: tuple[str, ...] = ()
    """Of the model itself; for ``clip_to`` of the other model."""
    labels: tuple[int, ...] = ()
    """Numbers that the network gives and the label table does not have."""
    above_mm3: float | None = None
    """Pieces of at most (``relabel_touching_vertebrae``: below) this volume are removed."""
    mm: float | None = None
    """By how much labels grow."""
    model: str = ""
    """Id of another model whose result the step needs."""


@dataclass(frozen=True)
class LicensedTask:
    """A task of TotalSegmentator whose weights need a licence from the publisher; they are not downloaded."""

    id: str
    dataset_ids: tuple[int, ...]
    structures: tuple[str, ...]
    """Names in the order of the labels, from 1."""


def crop_rule(fields: Mapping[str, Any] | None, require: Callable[[bool, str], None]) -> CropRule | None:
    """``require(condition, field)`` raises where a condition does not hold."""
    if fields is None:
        return None
    rule = CropRule(tuple(fields["classes"]), fields["model"], float(fields["margin_mm"]))
    require(bool(rule.classes) and rule.margin_mm >= 0, "crop")
    return rule


def published_step(fields: Mapping[str, Any], require: Callable[[bool, str], None]) -> PublishedStep:
    """As ``crop_rule``."""
    lists = {name: tuple(fields[name]) for name in ("structures", "labels") if name in fields}
    step = PublishedStep(**{**fields, **lists})
    require(step.step in _STEPS and step.grid in _GRIDS, "steps")
    require(all(getattr(step, name) not in (None, "", ()) for name in _STEPS[step.step]), "steps")
    return step
