"""What a saved review consists of, and its file.

::

    reviews/<id>/review.json     SavedReview
    reviews/<id>/<digest>.z      pieces of label images, and the structures as computed
    reviews/<id>/owner.json      the Slicer process that reviews
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.job_folder import read_owner, reviews_folder
from TotalSegmentatorWire.process_identity import is_alive

REVIEW_FILE = "review.json"
REVIEW_VERSION = 1


@dataclass(frozen=True)
class SavedLayer:
    """A label image that segments share."""

    extent: list[int]
    """First and last i, j, k."""
    ijk_to_ras: list[float]
    """16 numbers, row by row, to RAS in mm of the segmentation's own space; the first voxel has the first indices of
    ``extent``."""
    dtype: str
    """A name of NumPy's."""
    slices: int
    """In each piece; the last one may have fewer."""
    pieces: list[str]
    """Digests of the voxels, in C order (k, j, i)."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """k, j, i"""
        i0, i1, j0, j1, k0, k1 = self.extent
        return k1 - k0 + 1, j1 - j0 + 1, i1 - i0 + 1


@dataclass(frozen=True)
class SavedSegment:
    id: str
    name: str
    colour: list[float]
    """0..1 per channel."""
    layer: int | None
    """Place in SavedReview.layers; None where nothing was ever drawn."""
    label: int
    tags: Mapping[str, str]


@dataclass(frozen=True)
class SavedCt:
    """The CT on which the segmentation was made, as ResultHeader names it."""

    shape: list[int]
    """k, j, i"""
    ijk_to_ras: list[float]
    """16 numbers, row by row, RAS in mm."""
    series_instance_uid: str | None


@dataclass(frozen=True)
class SavedReview:
    """Of one segmentation node."""

    created: str
    """ISO 8601, UTC: when its result was imported, or it was first changed."""
    model: str
    """Of several with commas; empty where the segments do not say it."""
    ct: SavedCt | None
    """None where it is not known."""
    layers: list[SavedLayer]
    segments: list[SavedSegment]
    """In their order."""
    attributes: Mapping[str, str]
    """Of the node."""
    computed: list[str]
    """Digests of the pieces of the structures as computed (ComputedStructures as JSON); empty where they are not
    kept."""

    @property
    def digests(self) -> set[str]:
        """Of all that is in files of its own."""
        return {*self.computed, *(digest for layer in self.layers for digest in layer.pieces)}


@dataclass(frozen=True)
class UnsavedReview:
    """A review that its Slicer could not finish, and where it lies."""

    folder: Path
    review: SavedReview


def write_review_file(folder: Path, review: SavedReview) -> None:
    """Replace the file as a whole, so that there is always one that can be read. Raises OSError."""
    draft = folder / (REVIEW_FILE + ".new")
    content = {"version": REVIEW_VERSION, **dataclasses.asdict(review)}
    draft.write_text(json.dumps(content, separators=(",", ":")), encoding="utf-8")
    draft.replace(folder / REVIEW_FILE)


def read_review_file(folder: Path) -> SavedReview:
    """Raises SegmentationError("REVIEW_DAMAGED")."""
    try:
        fields: dict[str, Any] = json.loads((folder / REVIEW_FILE).read_text(encoding="utf-8"))
        if fields.pop("version") != REVIEW_VERSION:
            raise ValueError("version")
        ct = fields.pop("ct")
        return SavedReview(
            ct=None if ct is None else SavedCt(**ct),
            layers=[SavedLayer(**layer) for layer in fields.pop("layers")],
            segments=[SavedSegment(**segment) for segment in fields.pop("segments")],
            **fields,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SegmentationError("REVIEW_DAMAGED") from error


def unsaved_reviews(work_folder: Path) -> list[UnsavedReview]:
    """Those whose Slicer has ended without saving or closing the scene, oldest first. What cannot be read is left to
    the sweep."""
    parent, found = reviews_folder(work_folder), []
    for folder in parent.iterdir() if parent.is_dir() else ():
        owner = read_owner(folder)
        if owner is None or is_alive(owner):
            continue
        try:
            found.append(UnsavedReview(folder, read_review_file(folder)))
        except SegmentationError:
            continue
    return sorted(found, key=lambda unsaved: unsaved.review.created)
