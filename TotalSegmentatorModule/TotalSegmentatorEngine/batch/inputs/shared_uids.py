"""Takes apart what bears one Series Instance UID and is not one series: in an archive of many patients this happens.

Programs that remove names may give all patients the same UIDs, and a series may lie in two folders, one of them
incomplete. Pooled, neither could be read. A series that a disc has spread over folders stays whole.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from TotalSegmentatorEngine.dicom_series.headers import SliceHeader
from TotalSegmentatorEngine.series_selection.interleaving import FEWEST_SLICES
from TotalSegmentatorEngine.series_selection.series_list import Series

_SAME_SHARE = 0.5
"""Of a folder's images: with so many SOP Instance UIDs of another one, it holds a series of its own."""


def taken_apart(series: Iterable[Series]) -> list[Series]:
    """One series for each patient and study, and for each group of folders that does not hold the same images again."""
    return [part for one in series for part in _parts(one)]


def _parts(series: Series) -> Iterator[Series]:
    owners: dict[tuple[str, str], list[SliceHeader]] = defaultdict(list)
    for image in series.images:
        owners[image.patient_id, image.study_uid].append(image)
    if min(map(len, owners.values())) < FEWEST_SLICES:  # a program has made a study of each file
        owners = {("", ""): list(series.images)}
    for images in owners.values():
        groups = _groups(images)
        if len(owners) == len(groups) == 1:
            yield series
        else:
            yield from (Series(series.uid, tuple(group)) for group in groups)


def _groups(images: Iterable[SliceHeader]) -> list[list[SliceHeader]]:
    """A folder joins the nearest group that does not have its images already."""
    folders: dict[Path, list[SliceHeader]] = defaultdict(list)
    for image in images:
        folders[image.path.parent].append(image)
    groups: list[tuple[Path, set[str], list[SliceHeader]]] = []
    by_size = sorted(folders.items(), key=lambda item: (len(item[1]) < FEWEST_SLICES, item[0].parts))
    for folder, members in by_size:
        uids = {image.sop_uid for image in members} - {""}
        is_small = len(members) < FEWEST_SLICES  # copies of single slices
        free = [group for group in groups if is_small or len(uids & group[1]) < _SAME_SHARE * max(len(uids), 1)]
        if free:
            _, taken, joined = max(free, key=lambda group: len(os.path.commonpath([group[0], folder])))
            taken |= uids
            joined += members
        else:
            groups.append((folder, uids, members))
    return [members for _, _, members in groups]
