"""The structures of a segmentation as the rules see them: measured once, in canonical voxel order.

Arrays are [S, A, R]: the first axis grows towards the head, the second to the front, the third to the right; a view of
the arrays on the CT's grid. Places are RAS in mm.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import numpy as np

from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume, canonical_reorientation
from TotalSegmentatorEngine.imaging.mask_pieces import measured_pieces, numbered_pieces
from TotalSegmentatorEngine.result_check.places import Counts, Places, places_of, sampled_voxel_mm3
from TotalSegmentatorEngine.review.measures.round_view import RoundView
from TotalSegmentatorEngine.review.measures.scan import Scan
from TotalSegmentatorEngine.review.measures.voxel_statistics import (
    VoxelStatistics,
    labels_that_differ,
    statistics_of,
)

_Made = TypeVar("_Made")

MOST_PIECES = 256
"""Of a structure are looked at, the largest: more are noise, of which the largest pieces tell as much as all."""
SIDES = (("feet", "head"), ("back", "front"), ("left", "right"))
"""For each axis of [S, A, R] the side at its first index and the one at its last."""


@dataclass(frozen=True)
class LabelledStructure:
    """One structure that lies somewhere in the layers."""

    name: str
    """As in the label tables."""
    layer: int
    label: int


@dataclass(frozen=True, eq=False)
class Piece:
    """A connected part of a structure."""

    number: int
    """In ``Finding.numbered_pieces``."""
    voxels: int
    volume_ml: float
    box: tuple[slice, slice, slice]
    """[S, A, R] of the whole grid."""
    centre_ras_mm: np.ndarray
    sides: tuple[str, ...]
    """Those of SIDES where the scan ends within the piece."""


@dataclass(eq=False)
class _Measured:
    """Of one structure; later findings of the same voxels share it. Whatever takes long is measured when a rule asks
    for it."""

    first: VoxelStatistics
    sides: tuple[str, ...] | None = None
    pieces: tuple[Piece, ...] | None = None
    counts: Counts | None = None
    """Empty where the structure has no sampled voxel."""
    kept: dict[Hashable, object] = field(default_factory=dict)
    """See ``Finding.once``."""


class Finding:
    """One structure: its voxels and what was measured of them."""

    def __init__(self, findings: Findings, structure: LabelledStructure, measured: _Measured) -> None:
        self._findings = findings
        self.measured = measured
        self.name, self.layer, self.label = structure.name, structure.layer, structure.label
        self.voxels = measured.first.voxels
        self.volume_ml = self.voxels * findings.voxel_ml
        self.box = measured.first.box
        """[S, A, R] of the whole grid; its faces touch voxels."""
        self.centre_ras_mm: np.ndarray = findings.ras(measured.first.centre)

    def once(self, key: Hashable, make: Callable[[], _Made]) -> _Made:
        """What ``make`` gives, which must follow from these voxels and ``key`` alone: later findings of the same voxels
        share it."""
        if key not in self.measured.kept:
            self.measured.kept[key] = make()
        return self.measured.kept[key]

    @property
    def mask(self) -> np.ndarray:
        """bool [S, A, R], of the box."""
        return self._findings.layers[self.layer][self.box] == self.label

    def thinned(self, steps: tuple[slice, slice, slice]) -> np.ndarray:
        """bool: every so many voxels of the box."""
        return self._findings.layers[self.layer][self.box][steps] == self.label

    def within(self, layers: Sequence[np.ndarray], box: tuple[slice, slice, slice]) -> np.ndarray:
        """bool, of ``box``: the structure's voxels in other images of the layers, as after sampling."""
        return layers[self.layer][box] == self.label

    @property
    def sides(self) -> tuple[str, ...]:
        """Those of SIDES where the scan ends within the structure: where it touches the border of the grid, or of the
        round field of view."""
        if self.measured.sides is None:
            self.measured.sides = self._findings.sides_of(self.box, lambda: self.mask)
        return self.measured.sides

    @property
    def is_cut(self) -> bool:
        return bool(self.sides)

    @property
    def is_cut_at_a_side(self) -> bool:
        """By a field of view that is narrower than the body, not by the scan's ends along it."""
        return any(side not in SIDES[0] for side in self.sides)

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """The MOST_PIECES largest, the largest first."""
        if self.measured.pieces is None:
            self.measured.pieces = self._counted_pieces()
        return self.measured.pieces

    def _counted_pieces(self) -> tuple[Piece, ...]:
        numbers = self.numbered_pieces
        if numbers.max() == 1:
            return (Piece(1, self.voxels, self.volume_ml, self.box, self.centre_ras_mm, self.sides),)
        first = [part.start for part in self.box]
        pieces = []
        for each in measured_pieces(numbers, self.voxels, self.measured.first.centre - first, MOST_PIECES):
            moved = tuple(slice(p.start + low, p.stop + low) for p, low in zip(each.box, first, strict=True))
            sides = self._findings.sides_of(moved, lambda each=each: numbers[each.box] == each.number)
            centre = self._findings.ras(each.centre + first)
            pieces.append(Piece(each.number, each.voxels, each.voxels * self._findings.voxel_ml, moved, centre, sides))
        return tuple(sorted(pieces, key=lambda piece: -piece.voxels))

    @property
    def numbered_pieces(self) -> np.ndarray:
        """[S, A, R] of the box: for each voxel the number of its piece, 0 outside the structure. Computed anew at each
        call: it is as large as the box, four bytes a voxel."""
        return numbered_pieces(self.mask)

    @property
    def hu(self) -> np.ndarray | None:
        """The CT's values in the structure's voxels, read anew at each call; None without a CT."""
        ct = self._findings.ct
        return None if ct is None else ct[self.box][self.mask]


class Findings(Mapping[str, Finding]):
    """All structures with at least one voxel, by name."""

    def __init__(
        self,
        layers: Sequence[np.ndarray],
        structures: Iterable[LabelledStructure],
        geometry: Geometry,
        ct: Volume | None = None,
        sought: Iterable[str] = (),
        coarse: Sequence[Findings] = (),
        only: Collection[str] | None = None,
        places: Places | None = None,
        known: Findings | None = None,
        check_cancelled: Callable[[], None] = lambda: None,
    ) -> None:
        """``layers``: label images (k, j, i) of unsigned whole numbers on ``geometry``; ``ct``: HU, on the same grid;
        ``sought``: names that the segmentation could hold, found or not (empty where nobody knows); ``coarse``: what
        coarser models found in the same CT, each on a grid of its own; ``only``: names of the structures that shall be
        judged, found or not (None: all); ``places``: of these structures, where somebody has looked already;
        ``known``: of the same segmentation at another time, on the same grid and CT, of which are taken the
        measurements of all structures whose voxels are the same; ``check_cancelled``: may raise to stop, here and while
        the rules go through the structures."""
        turn = canonical_reorientation(geometry)
        self.layers = [turn.view(layer) for layer in layers]
        self.shape: tuple[int, int, int] = self.layers[0].shape
        self.geometry: Geometry = turn.grid(geometry)
        self.sought = frozenset(sought)
        self.coarse = tuple(coarse)
        self.voxel_ml = geometry.voxel_ml
        self.only = None if only is None else frozenset(only)
        self.check_cancelled = check_cancelled
        self.scan = Scan(None if ct is None else turn.view(ct.array), self.spacing)
        self._findings = self._measure(list(structures), known)
        for name in () if places is None else self:
            self[name].measured.counts = places.counts.get(name, ())

    def __getitem__(self, name: str) -> Finding:
        return self._findings[name]

    def __iter__(self):
        return iter(self._findings)

    def __len__(self) -> int:
        return len(self._findings)

    @property
    def asked(self) -> Iterator[Finding]:
        """Those that shall be judged."""
        for finding in self.values():
            if self.is_asked(finding.name):
                self.check_cancelled()
                yield finding

    def is_asked(self, name: str) -> bool:
        return self.only is None or name in self.only

    @property
    def spacing(self) -> np.ndarray:
        """mm along [S, A, R]."""
        return np.array(self.geometry.spacing[::-1])

    def ras(self, index: Sequence[float]) -> np.ndarray:
        """Place in mm of an index [S, A, R], also between voxels."""
        return (self.geometry.ijk_to_ras @ [*np.asarray(index, float)[::-1], 1.0])[:3]

    def index(self, ras: Sequence[float]) -> np.ndarray:
        """The index [S, A, R], not rounded, of a place in mm."""
        return (np.linalg.inv(self.geometry.ijk_to_ras) @ [*ras, 1.0])[:3][::-1]

    @property
    def ct(self) -> np.ndarray | None:
        """HU, [S, A, R]."""
        return self.scan.ct

    @property
    def round_view(self) -> RoundView | None:
        """None without a CT, and where the reconstruction fills the whole grid."""
        return self.scan.round_view

    def sides_of(self, box: tuple[slice, slice, slice], mask: Callable[[], np.ndarray]) -> tuple[str, ...]:
        """Those of SIDES where the scan ends within what ``mask`` gives: bool [S, A, R] of the box, whose faces touch
        voxels. It is asked for only where the box reaches the edge of a round field of view."""
        found = {
            side
            for part, size, (first, last) in zip(box, self.shape, SIDES, strict=True)
            for side in ([first] if part.start == 0 else []) + ([last] if part.stop == size else [])
        }
        view = self.round_view
        if view is not None and view.edge[box[1:]].any():
            found.update(view.sides_of(mask().any(axis=0), box[1:], self.spacing[1:]))
        return tuple(side for pair in SIDES for side in pair if side in found)

    @property
    def named_layers(self) -> Iterator[tuple[np.ndarray, dict[int, str]]]:
        """Each layer that holds a structure, [S, A, R] on ``geometry``, and the names of its labels."""
        for number, layer in enumerate(self.layers):
            names = {finding.label: finding.name for finding in self.values() if finding.layer == number}
            if names:
                yield layer, names

    def middle(self, finding: Finding) -> tuple[float, float, float]:
        """RAS in mm: the voxel of a structure that lies nearest its centre, which may be outside, as that of a rib."""
        voxels = np.argwhere(finding.mask) + [part.start for part in finding.box]
        return self.nearest_of(voxels, self.index(finding.centre_ras_mm))

    def nearest_of(self, voxels: np.ndarray, index: np.ndarray) -> tuple[float, float, float]:
        """RAS in mm: that of ``voxels``, [n, 3] of the grid, which is nearest to a place in the grid."""
        return tuple(self.ras(voxels[np.argmin((((voxels - index) * self.spacing) ** 2).sum(axis=1))]))

    def sampled_places(self, finding: Finding, step_mm: float) -> np.ndarray:
        """[n, 3], RAS in mm: voxels of a structure, about ``step_mm`` apart."""
        steps = np.maximum(1, (step_mm // self.spacing).astype(int))
        thinned = finding.thinned(tuple(slice(step // 2, None, step) for step in steps))
        voxels = np.argwhere(thinned) * steps + steps // 2 + [part.start for part in finding.box]
        return voxels[:, ::-1] @ self.geometry.ijk_to_ras[:3, :3].T + self.geometry.origin

    def is_unlabelled(self, voxels: np.ndarray) -> np.ndarray:
        """For each of [n, 3] voxels of the grid, whether no layer has a label there."""
        return np.all([layer[tuple(voxels.T)] == 0 for layer in self.layers], axis=0)

    def reaches_border(self, indices: np.ndarray) -> bool:
        """Whether one of the voxels, [n, 3] of the grid, lies where the scan ends."""
        if ((indices == 0) | (indices == np.array(self.shape) - 1)).any():
            return True
        return self.round_view is not None and bool(self.round_view.edge[tuple(indices[:, 1:].T)].any())

    def holds(self, index: np.ndarray, half: np.ndarray) -> bool:
        """Whether the scan shows the box of ``half`` a size in voxels, [S, A, R], about a place in the grid."""
        low, high = np.floor(index - half).astype(int), np.ceil(index + half).astype(int)
        if (low < 0).any() or (high >= self.shape).any():
            return False
        box = tuple(slice(first, last + 1) for first, last in zip(low[1:], high[1:], strict=True))
        return self.round_view is None or not self.round_view.edge[box].any()

    @cached_property
    def places(self) -> Places:
        """Where the structures lie along the axes of the patient."""
        for layer, names in self.named_layers:
            new = {label: name for label, name in names.items() if self[name].measured.counts is None}
            counts = places_of(layer, self.geometry, new).counts if new else {}
            for name in new.values():
                self[name].measured.counts = counts.get(name, ())
        known = {name: finding.measured.counts for name, finding in self.items() if finding.measured.counts}
        return Places(known, sampled_voxel_mm3(self.geometry))

    # -- measuring -----------------------------------------------------------------------------------------------------

    def _measure(self, structures: list[LabelledStructure], known: Findings | None) -> dict[str, Finding]:
        measured = {} if known is None else self._taken_over(structures, known)
        for number, layer in enumerate(self.layers):
            new = [each for each in structures if each.layer == number and each.name not in measured]
            found = statistics_of(layer, {each.label for each in new}, self.check_cancelled)
            measured.update({each.name: _Measured(found[each.label]) for each in new if each.label in found})
        return {each.name: Finding(self, each, measured[each.name]) for each in structures if each.name in measured}

    def _taken_over(self, structures: list[LabelledStructure], known: Findings) -> dict[str, _Measured]:
        """By name: what ``known`` has measured of the structures that are the same here."""
        if not self.geometry.matches(known.geometry) or (self.ct is None) != (known.ct is None):
            raise ValueError("findings of another grid or CT tell nothing of these")
        self.scan = known.scan
        differing: dict[tuple[int, int], set[int]] = {}
        same = {}
        for each in structures:
            before = known.get(each.name)
            if before is None or before.label != each.label:
                continue
            layers = before.layer, each.layer
            if layers not in differing:
                differing[layers] = labels_that_differ(known.layers[before.layer], self.layers[each.layer])
            if each.label not in differing[layers]:
                same[each.name] = before.measured
        return same
