"""The CTs in the DICOM files of a folder: those that can be read, those that are spoilt, and what is none."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from TotalSegmentatorWire.errors.problem import Problem, SegmentationError

from TotalSegmentatorEngine.batch.inputs.candidate import LOCALIZERS, OTHER_OBJECTS, OTHER_SERIES, Candidate, Found
from TotalSegmentatorEngine.batch.inputs.neighbourhood import Neighbourhood
from TotalSegmentatorEngine.batch.inputs.shared_uids import taken_apart
from TotalSegmentatorEngine.dicom_series.headers import SliceHeader
from TotalSegmentatorEngine.series_selection.folder_scan import FOLDER_CLOSED, FolderScan, Unread
from TotalSegmentatorEngine.series_selection.interleaving import FEWEST_SLICES
from TotalSegmentatorEngine.series_selection.series_choice import select_row
from TotalSegmentatorEngine.series_selection.series_list import Row, Series, SeriesList, list_series
from TotalSegmentatorEngine.series_selection.series_parts import take_apart
from TotalSegmentatorEngine.series_selection.skipped_files import has_dicom_ending, name_shape, possible_slice

_CT_IMAGES = frozenset(["", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2"])
"""CT, Enhanced CT and Legacy Converted Enhanced CT Image Storage (PS3.6 table A-1), and files that state no class."""
_FROM_SEARCH = ("INPUT_IMAGES_LEFT_OUT", "INPUT_FILES_UNREAD")
"""Warnings that show only in the whole folder; the others come again when the CT is read."""


def dicom_cases(scan: FolderScan) -> Found:
    """Every CT volume among the files, each acquisition of a series for itself; spoilt ones with their problem."""
    return _Search(scan).found()


class _Search:
    def __init__(self, scan: FolderScan) -> None:
        self._scan = scan
        self._listed = SeriesList(taken_apart(list_series(scan.images).series))
        self._near = Neighbourhood(scan)
        self._frames = Counter(header.path for header in scan.images if header.frame is not None)
        self._no_volumes: dict[str, list[Series]] = defaultdict(list)
        for series in self._listed.series:
            if not series.is_ct_volume:
                self._no_volumes[series.images[0].study_uid].append(series)

    def found(self) -> Found:
        rows = self._listed.choices
        found = Found([self._of_row(row) for row in rows])
        studies = {row.slices[0].study_uid for row in rows}
        for study, several in self._no_volumes.items():
            self._add_no_volumes(several, study in studies, found)
        found.candidates += self._spoilt_files({path.parent for one in found.candidates for path, _ in one.parts})
        found.problems += [
            (each.path, Problem("INPUT_UNREADABLE", {"file": each.path.name}))
            for each in self._scan.unread
            if each.detail == FOLDER_CLOSED
        ]
        images = {header.path for header in self._scan.images}
        found.passed_over[OTHER_OBJECTS] += len({header.path for header in self._scan.headers} - images)
        return found

    def _of_row(self, row: Row) -> Candidate:
        near = self._near.of(row)
        try:
            selected = select_row(row, near, self._no_volumes[row.slices[0].study_uid])
        except SegmentationError as error:
            suspect = possible_slice(list(row.slices), near)
            extra = () if suspect is None else (suspect.path,)
            return self._candidate(row.slices, row.series.uid, row.id, problem=error.problem, extra=extra)
        warnings = tuple(each for each in selected.warnings if each.code in _FROM_SEARCH)
        return self._candidate(row.slices, row.series.uid, row.id, warnings)

    def _add_no_volumes(self, several: Sequence[Series], has_volume: bool, found: Found) -> None:
        """``has_volume``: whether there is a CT volume in the same study, so that a series of a few places only was
        taken to watch the contrast medium arrive, or for a biopsy."""
        unusable = [series for series in several if _is_unusable_ct(series)]
        mixed = _of_one_stack(unusable)
        if mixed:
            images = [image for series in mixed for image in series.images]
            detail = "it has another Series Instance UID than the files beside it"
            problem = Problem("INPUT_SLICE_UNUSABLE", {"file": images[0].path.name, "detail": detail})
            found.candidates.append(self._candidate(images, mixed[0].uid, problem=problem))
        for series in several:
            if series in mixed:
                continue
            if series not in unusable:
                found.passed_over[LOCALIZERS if _is_of_ct(series) else OTHER_SERIES] += 1
            elif has_volume and _places(series) < FEWEST_SLICES:
                found.passed_over[LOCALIZERS] += 1
            else:
                found.candidates.append(self._candidate(series.images, series.uid))

    def _spoilt_files(self, but: Collection[Path]) -> list[Candidate]:
        """A candidate for each folder with DICOM files that cannot be read, also beside localizers or an MR: they may
        have been a CT. ``but``: folders of what is a case already."""
        shapes = {(header.path.parent, name_shape(header.path)) for header in self._scan.headers}
        others = {series.uid for several in self._no_volumes.values() for series in several if not _is_of_ct(series)}
        by_folder: dict[Path, list[Unread]] = defaultdict(list)
        for each in self._scan.unread:
            path = each.path
            is_alike = (path.parent, name_shape(path)) in shapes
            if path.parent.absolute() in but or each.series_uid in others or each.detail == FOLDER_CLOSED:
                continue
            if each.is_dicom or has_dicom_ending(path) or is_alike:
                by_folder[path.parent].append(each)
        return [
            Candidate(
                several[0].path.parent.absolute(),
                files=tuple(each.path.name for each in several),
                problem=Problem("INPUT_SLICE_UNUSABLE", {"file": several[0].path.name, "detail": several[0].detail}),
            )
            for several in by_folder.values()
        ]

    def _candidate(
        self,
        slices: Iterable[SliceHeader],
        uid: str,
        row: str = "",
        warnings: tuple[Problem, ...] = (),
        problem: Problem | None = None,
        extra: tuple[Path, ...] = (),
    ) -> Candidate:
        """``slices`` of one CT. A file of several frames that all belong to it needs no list of them."""
        frames: dict[Path, list[int]] = {}
        for header in slices:
            frames.setdefault(header.path, [])
            if header.frame is not None:
                frames[header.path].append(header.frame)
        root = Path(os.path.commonpath([path.parent.absolute() for path in frames]))
        names = {path: os.path.relpath(path.absolute(), root) for path in frames}
        some = tuple(
            (names[path], tuple(sorted(numbers)))
            for path, numbers in frames.items()
            if 0 < len(numbers) < self._frames[path]
        )
        return Candidate(root, row, uid, tuple(sorted(names.values())), some, extra, warnings, problem)


def _is_of_ct(series: Series) -> bool:
    """Localizers, too."""
    return any(image.modality == "CT" for image in series.images)


def _is_unusable_ct(series: Series) -> bool:
    """Whether it has images of a CT that make no volume, beside localizers and pages."""
    return any(
        image.modality == "CT"
        and image.sop_class in _CT_IMAGES
        and image.samples == 1
        and "LOCALIZER" not in image.labels.image_type
        for image in series.images
    )


def _places(series: Series) -> int:
    return len({None if image.position is None else tuple(image.position.round(1)) for image in series.images})


def _of_one_stack(unusable: Sequence[Series]) -> list[Series]:
    """Those whose images make a volume only together: each file got a Series Instance UID of its own."""
    if len(unusable) < 2:
        return []
    parts = take_apart([image for series in unusable for image in series.images]).parts
    of_part = {image.series_uid for part in parts for image in part.slices}
    mixed = [series for series in unusable if series.uid in of_part]
    return mixed if len(mixed) > 1 else []
