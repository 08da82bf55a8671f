"""A part of a model as the exact run would go over it: its tiles, and the approximate labels in their cells."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from TotalSegmentatorEngine.agreement.exact_tiles import Box, Cell, cells_of, overlap
from TotalSegmentatorEngine.agreement.tile_choice import ACROSS, INSIDE, OUTSIDE
from TotalSegmentatorEngine.inference.sliding_window import TileSource, Window
from TotalSegmentatorEngine.labels.grid_labels import GridLabels
from TotalSegmentatorEngine.models.find_model import Part
from TotalSegmentatorEngine.models.model_folder import ModelFolder
from TotalSegmentatorEngine.pipeline.checking.checked_job import CheckedCt
from TotalSegmentatorEngine.preprocessing.network_input import NetworkInput, Piece, Region, resamples_by_plans
from TotalSegmentatorEngine.preprocessing.normalisation import is_pointwise
from TotalSegmentatorEngine.preprocessing.regions import contains, shape_of


@dataclass(frozen=True, eq=False)
class PartRun:
    """What the approximate job did with a part."""

    part: Part
    labels: GridLabels | None
    """None: it did not run, since nothing was found in whose region it would have."""
    precision: str

    def is_whole(self, ct: CheckedCt) -> bool:
        return self.labels is not None and self.labels.box == ct.grid.whole


@dataclass(frozen=True, eq=False)
class CheckedTile:
    """One tile of the exact run of a part."""

    run: PartRun
    source: TileSource
    cell: Cell
    region: Region
    """The cell on the grid of the labels."""
    stratum: str

    @property
    def folder(self) -> ModelFolder:
        return self.run.part.folder

    def approximate_labels(self) -> np.ndarray:
        """uint8, the part's own numbers, of the cell in the network's axes; 0 where the part did not run."""
        found = np.zeros(shape_of(self.region), dtype=np.uint8)
        common = None if self.run.labels is None else overlap(self.region, self.run.labels.box)
        if common is not None:
            own = _moved(common, [part.start for part in self.run.labels.box])
            found[_moved(common, [part.start for part in self.region])] = self.run.labels.labels[own]
        return found.transpose(self.folder.transpose_forward)


def can_be_checked(run: PartRun, ct: CheckedCt) -> bool:
    """A part that ran over a region alone cannot be where its exact input depends on the whole image."""
    folder = run.part.folder
    return run.is_whole(ct) or (is_pointwise(folder) and not resamples_by_plans(ct.model.profile, folder))


def tiles_of_part(run: PartRun, ct: CheckedCt) -> Iterator[CheckedTile]:
    """All tiles of the exact run. Raises SegmentationError("CANCELLED")."""
    whole = ct.grid.whole
    folder = run.part.folder
    window = window_of(ct, folder)
    for piece in ct.pieces(whole):
        if run.is_whole(ct):
            source: TileSource = ct.network_input(folder, whole, piece)
        else:
            source = ct.tiles_of_whole(folder, piece)
        place = _PiecePlace(source, piece, folder)
        for cell in cells_of(window.tile_starts(source.shape), window.patch_size, source.shape):
            kept = place.kept(cell)
            if kept is not None:
                yield CheckedTile(run, source, kept, place.region(kept.box), _stratum(run, ct, place, kept))


def window_of(ct: CheckedCt, folder: ModelFolder) -> Window:
    profile = ct.model.profile
    return Window(folder.patch_size, profile.step, profile.average)


def _stratum(run: PartRun, ct: CheckedCt, place: _PiecePlace, cell: Cell) -> str:
    if run.is_whole(ct):
        return INSIDE
    tile = overlap(place.region(cell.tile), ct.grid.whole)
    if run.labels is None or tile is None or overlap(tile, run.labels.box) is None:
        return OUTSIDE
    return INSIDE if contains(run.labels.box, tile) else ACROSS


class _PiecePlace:
    """Where a network's input lies on the grid of the labels."""

    def __init__(self, source: TileSource, piece: Piece, folder: ModelFolder) -> None:
        self._back = folder.transpose_backward
        self._piece = piece
        self._first, self._scale = (0, 0, 0), (1.0, 1.0, 1.0)
        if isinstance(source, NetworkInput):
            self._first = tuple(part.start for part in source.box)
            sizes = zip(shape_of(source.box), source.shape, strict=True)
            self._scale = tuple(size / own for size, own in sizes)
        self._rows_axis = folder.transpose_forward.index(0)

    def region(self, box: Box) -> Region:
        """A box of the input on the grid."""
        moved = [
            slice(first + round(part.start * scale), first + round(part.stop * scale))
            for part, first, scale in zip(box, self._first, self._scale, strict=True)
        ]
        rows, *others = (moved[axis] for axis in self._back)
        return (slice(rows.start + self._piece.rows.start, rows.stop + self._piece.rows.start), *others)

    def kept(self, cell: Cell) -> Cell | None:
        """The cell without the rows that a neighbouring piece decides; None where none is left."""
        axis, kept = self._rows_axis, self._piece.kept
        if kept == self._piece.rows:
            return cell
        first = self._piece.rows.start + self._first[axis]
        scale = self._scale[axis]
        limits = slice(math.ceil((kept.start - first) / scale), math.ceil((kept.stop - first) / scale))
        bounds = tuple(limits if each == axis else part for each, part in enumerate(cell.box))
        own = overlap(cell.box, bounds)
        return None if own is None else Cell(cell.tile, own)


def _moved(region: Region, starts: list[int]) -> Region:
    return tuple(slice(part.start - start, part.stop - start) for part, start in zip(region, starts, strict=True))


def names_of(part: Part, wanted: Mapping[int, str]) -> dict[int, str]:
    """The names of a part's own labels that are ``wanted``, by label of the model."""
    return {number: wanted[label] for number, label in part.labels.items() if label in wanted}
