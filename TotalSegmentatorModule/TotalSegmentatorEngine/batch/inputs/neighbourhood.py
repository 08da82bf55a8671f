"""The part of a scanned tree that can matter to one series: to look at the whole tree for each would take forever."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from TotalSegmentatorEngine.dicom_series.headers import SliceHeader
from TotalSegmentatorEngine.series_selection.folder_scan import FolderScan, Unread
from TotalSegmentatorEngine.series_selection.series_list import Row


class Neighbourhood:
    """Made once for a scan."""

    def __init__(self, scan: FolderScan) -> None:
        self._headers: dict[Path, list[SliceHeader]] = defaultdict(list)
        self._unread: dict[Path, list[Unread]] = defaultdict(list)
        self._unread_of_series: dict[str, list[Unread]] = defaultdict(list)
        self._below: dict[Path, set[Path]] = defaultdict(set)
        for header in scan.headers:
            self._headers[header.path.parent].append(header)
        for unread in scan.unread:
            self._unread[unread.path.parent].append(unread)
            if unread.series_uid:
                self._unread_of_series[unread.series_uid].append(unread)
        for folder in {*self._headers, *self._unread}:
            while folder not in self._below[folder.parent] and folder != folder.parent:
                self._below[folder.parent].add(folder)
                folder = folder.parent

    def of(self, row: Row) -> FolderScan:
        """The files in the folders of the row's slices, below them, and beside them where there are several; and
        unreadable files of the same series wherever they lie."""
        own = {header.path.parent for header in row.slices}
        starts = own | ({beside for folder in own for beside in self._below[folder.parent]} if len(own) > 1 else set())
        folders = set(self._with_all_below(starts))
        unread = [each for folder in folders for each in self._unread.get(folder, ())]
        unread += [each for each in self._unread_of_series.get(row.series.uid, ()) if each.path.parent not in folders]
        return FolderScan([header for folder in folders for header in self._headers.get(folder, ())], unread)

    def _with_all_below(self, starts: Iterable[Path]) -> Iterator[Path]:
        waiting, seen = list(starts), set()
        while waiting:
            folder = waiting.pop()
            if folder not in seen:
                seen.add(folder)
                waiting += self._below.get(folder, ())
                yield folder
