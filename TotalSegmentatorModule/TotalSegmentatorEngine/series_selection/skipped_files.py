"""Judges the files that could not be read: can one of them be a slice of the chosen series?

A file counts as a possible slice by its place (beside slices of the series), by its name and size, and by where it
stands in the order of the names: between two neighbouring slices nothing is missing, at an end something can be.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from TotalSegmentatorEngine.dicom_series.headers import SliceHeader
from TotalSegmentatorEngine.series_selection.folder_scan import FolderScan, Unread, natural_key
from TotalSegmentatorEngine.series_selection.series_parts import positions_along

_UNFINISHED = re.compile(
    r"(\.(part|partial|filepart|crdownload|download|tmp|temp|!ut|bak|gz|bz2|xz|zip)|~)+$", re.IGNORECASE
)
"""Endings of files that a transfer has not finished, or that somebody packed."""

_DICOM_ENDINGS = (".dcm", ".dicom", ".dic", ".ima")

_ORDERED_SHARE = 0.95
"""Names are in the order of the slices where so many of them follow their predecessor."""

_SIZE_SPREAD = 0.05
"""Uncompressed slices differ by their headers only."""


def possible_slice(slices: Sequence[SliceHeader], scan: FolderScan) -> Unread | None:
    """The first unread file that may have been a slice of the series, None where there is none.

    ``slices``: those chosen, ordered along their normal.
    """
    if not scan.unread:
        return None
    series = _ChosenSeries(slices, scan)
    return next((unread for unread in scan.unread if series.may_hold(unread)), None)


def has_dicom_ending(path: Path) -> bool:
    return _ending(path) in _DICOM_ENDINGS


def name_shape(path: Path) -> str:
    """The name with "#" for every number, and for a name of letters and digits that nobody chose: "im#.dcm"."""
    name = _UNFINISHED.sub("", path.name.lower())
    stem = name[: len(name) - len(_ending(path))]
    if re.fullmatch(r"[0-9a-f-]{16,}", stem):
        return f"hexadecimal of {len(stem)}{_ending(path)}"
    return re.sub(r"\d+", "#", name)


class _ChosenSeries:
    def __init__(self, slices: Sequence[SliceHeader], scan: FolderScan) -> None:
        self._uid = slices[0].series_uid
        self._instances = {header.sop_uid for header in slices} - {""}
        self._rank = {header.path: number for number, header in enumerate(slices)}
        self._folders = {path.parent for path in self._rank}
        self._names = {name_shape(path) for path in self._rank}
        self._endings = {_ending(path) for path in self._rank}
        self._sizes = [_size(path) for path in self._rank]
        self._is_uniform = max(self._sizes) - min(self._sizes) <= _SIZE_SPREAD * max(self._sizes)
        self._by_folder: dict[Path, list[Path]] = defaultdict(list)
        for header in scan.headers:
            self._by_folder[header.path.parent].append(header.path)
        along = positions_along(slices)
        steps = np.diff(along)
        self._gaps = set(np.flatnonzero(steps > 1.5 * np.median(steps)).tolist()) if len(steps) else set()
        self._ordered = {folder for folder in self._folders if self._is_ordered(folder)}

    def may_hold(self, unread: Unread) -> bool:
        folder = unread.path.parent
        if unread.sop_uid in self._instances:  # a damaged copy
            return False
        if unread.series_uid:
            return unread.series_uid == self._uid and not self._is_elsewhere(unread.path)
        if folder not in self._folders and not self._continues_in(folder):
            return False
        is_alike = unread.is_dicom or name_shape(unread.path) in self._names or self._looks_like_one(unread.path)
        return is_alike and not self._is_elsewhere(unread.path)

    def _continues_in(self, folder: Path) -> bool:
        """True for a folder without readable images, below one of the series' folders, or beside several of them."""
        if self._by_folder.get(folder):
            return False
        is_below = any(parent in self._folders for parent in folder.parents)
        return is_below or (len(self._folders) > 1 and folder.parent in {known.parent for known in self._folders})

    def _looks_like_one(self, path: Path) -> bool:
        """By its ending, or by its size."""
        if has_dicom_ending(path):
            return True
        is_of_series = _ending(path) in self._endings
        return is_of_series and self._is_uniform and min(self._sizes) <= _size(path) <= max(self._sizes)

    def _is_elsewhere(self, path: Path) -> bool:
        """True where the names before and after it show that no slice of the series is missing at its place."""
        beside = sorted(set(self._by_folder[path.parent]), key=_order_of)
        key = _order_of(path)
        before = next((other for other in reversed(beside) if _order_of(other) < key), None)
        after = next((other for other in beside if _order_of(other) > key), None)
        if before is None or after is None:
            return False
        ranks = self._rank.get(before), self._rank.get(after)
        if ranks == (None, None):  # between images of other series
            return True
        if None in ranks or path.parent not in self._ordered:
            return False
        return abs(ranks[0] - ranks[1]) == 1 and min(ranks) not in self._gaps

    def _is_ordered(self, folder: Path) -> bool:
        names = sorted((path for path in self._rank if path.parent == folder), key=_order_of)
        if len(names) < 2:
            return False
        steps = np.diff([self._rank[path] for path in names])
        return max(np.mean(steps == 1), np.mean(steps == -1)) >= _ORDERED_SHARE


def _order_of(path: Path) -> tuple:
    name = _UNFINISHED.sub("", path.name)
    return natural_key(name), path.name


def _ending(path: Path) -> str:
    """In lower case; what follows the last dot of a UID is none."""
    found = re.search(r"\.[a-z][a-z0-9_]{0,7}$", _UNFINISHED.sub("", path.name.lower()))
    return found[0] if found else ""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
