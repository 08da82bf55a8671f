"""Chooses the one CT volume of a folder or file: by itself where there is one, else as the user or a reference says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from TotalSegmentatorWire.errors.problem import Problem, SegmentationError

from TotalSegmentatorEngine.dicom_series.headers import SliceHeader, read_header
from TotalSegmentatorEngine.series_selection.folder_scan import (
    FOLDER_CLOSED,
    FolderScan,
    Unread,
    scan_folder,
    scan_series,
)
from TotalSegmentatorEngine.series_selection.odd_slices import check_ends, check_line
from TotalSegmentatorEngine.series_selection.series_list import (
    Row,
    Series,
    SeriesList,
    choices_text,
    list_series,
    series_name,
)
from TotalSegmentatorEngine.series_selection.series_parts import Aside, positions_along, take_apart
from TotalSegmentatorEngine.series_selection.skipped_files import has_dicom_ending, possible_slice

_NAMED_FILES = 3
"""So many file names stand in a sentence at most."""


@dataclass(frozen=True)
class SeriesChoice:
    """Which series is meant, where a folder holds several."""

    named: str | None = None
    """What the user named: the id of a row in the list of series ("3", "3.2"), or a SeriesInstanceUID."""
    series: frozenset[str] = frozenset()
    """SeriesInstanceUIDs to which a structure set or segmentation refers."""
    instances: frozenset[str] = frozenset()
    """SOPInstanceUIDs to which it refers."""
    is_series: Callable[[str], bool] = lambda uid: False
    """True for a SeriesInstanceUID that a segmentation names in a way of its own."""

    def refers_to(self, uid: str) -> bool:
        return bool(uid) and (uid in self.series or self.is_series(uid))


@dataclass(frozen=True, eq=False)
class SelectedSeries:
    """The slices of one CT volume, not yet validated, and what was passed over."""

    slices: list[SliceHeader]
    aside: list[Aside] = field(default_factory=list)
    """Images of the same series that are no slices."""
    duplicates: int = 0
    """Copies of slices."""
    other_series: int = 0
    other_images: int = 0
    """Images of other series, and of other volumes of this one."""
    other_files: int = 0
    """Files that hold no image, readable or not."""
    unread: list[Unread] = field(default_factory=list)
    """Unread files that look like DICOM files but cannot be slices of this series."""
    words: tuple[str, ...] = ()
    """What tells the volume from the others of its series."""
    name: str = ""
    """Of the series, where there are others; number and description."""

    @property
    def warnings(self) -> list[Problem]:
        found = []
        if self.aside:
            kinds = ", ".join(
                _counted_kind(count, kind) for kind, count in Counter(one.kind for one in self.aside).items()
            )
            names = file_names([one.header.path for one in self.aside])
            found.append(Problem("INPUT_IMAGES_LEFT_OUT", {"kinds": kinds, "files": names}))
        if self.unread:
            names = file_names([Path("a folder") if one.detail == FOLDER_CLOSED else one.path for one in self.unread])
            found.append(Problem("INPUT_FILES_UNREAD", {"count": len(self.unread), "files": names}))
        shared = shared_instances(self.slices)
        if shared:
            found.append(Problem("INPUT_UIDS_SHARED", {"count": shared}))
        patients = len({slice_.patient_id for slice_ in self.slices} - {""})
        frames = len({slice_.frame_of_reference for slice_ in self.slices} - {""})
        if patients > 1 or frames > 1:
            found.append(Problem("INPUT_MIXED_ORIGIN", {"patients": patients, "frames": frames}))
        return found

    @property
    def note(self) -> str:
        """What was read and what not, in one line."""
        count = len(self.slices)
        text = _counted(count, "slice")
        if self.name:
            text += f" of series {self.name}"
        if count > 1 and all(slice_.position is not None for slice_ in self.slices):
            along = positions_along(self.slices)
            text += f" from {along.min():.1f} to {along.max():.1f} mm"
        if self.words:
            text += f" ({', '.join(self.words)})"
        passed = [
            _counted(self.other_images, "image") + f" of {self.other_series} other series" if self.other_series else "",
            _counted(self.other_images, "other image") if self.other_images and not self.other_series else "",
            _counted(len(self.aside), "image") + " of this series" if self.aside else "",
            _counted(self.duplicates, "copy", "copies") + " of slices" if self.duplicates else "",
            _counted(self.other_files, "file") + " without an image" if self.other_files else "",
        ]
        listed = ", ".join(filter(None, passed))
        return f"{text}; passed over: {listed}" if listed else text


ANY_SERIES = SeriesChoice()
"""The only one there is."""


def select_series(path: Path, choice: SeriesChoice = ANY_SERIES) -> SelectedSeries:
    """The CT volume of a folder tree, or of the series that the file ``path`` belongs to.

    Raises SegmentationError: INPUT_NO_IMAGES, INPUT_UNREADABLE, INPUT_SEVERAL_SERIES, INPUT_SERIES_UNKNOWN,
    INPUT_SLICE_UNUSABLE.
    """
    if path.is_file() and path.name.upper() == "DICOMDIR":
        path = path.parent
    own = None
    if path.is_file():
        own = _own_series(path)
        if not own.is_image:
            return SelectedSeries([own])
    scan = scan_folder(path) if own is None else scan_series(path, own.series_uid)
    if not scan.headers:
        if scan.unread and any(unread.is_dicom for unread in scan.unread):
            first = next(unread for unread in scan.unread if unread.is_dicom)
            raise SegmentationError("INPUT_SLICE_UNUSABLE", file=first.path.name, detail=first.detail)
        raise SegmentationError("INPUT_NO_IMAGES", files=len(scan.unread))
    return _selected(list_series(scan.images), scan, own, choice)


Select = Callable[[Path, SeriesChoice], SelectedSeries]
"""``select_series``, or one that remembers what it has selected: the headers of a series are then read once, however
often they are asked for."""


def select_of_files(headers: Sequence[SliceHeader], as_one: bool = False) -> SelectedSeries:
    """The CT volume that the files hold from which Slicer loaded a volume.

    ``as_one``: acquisitions that interleave are taken together, as Slicer did. Raises SegmentationError:
    INPUT_SEVERAL_SERIES, INPUT_SLICE_UNUSABLE.
    """
    listed = list_series(headers)
    whole = next((row.id for row in listed.rows if row.is_together), None) if as_one else None
    return _selected(listed, FolderScan(list(headers)), None, SeriesChoice(whole))


def file_names(paths: Sequence[Path]) -> str:
    """The first names, and how many more there are."""
    names = ", ".join(path.name for path in paths[:_NAMED_FILES])
    return names if len(paths) <= _NAMED_FILES else f"{names} and {len(paths) - _NAMED_FILES} more"


def shared_instances(slices: Sequence[SliceHeader]) -> int:
    """How many slices have a SOP Instance UID that another file has too."""
    files: dict[str, set[Path]] = {}
    for header in slices:
        if header.sop_uid:
            files.setdefault(header.sop_uid, set()).add(header.path)
    return sum(len(paths) for paths in files.values() if len(paths) > 1)


def _own_series(path: Path) -> SliceHeader:
    try:
        own = read_header(path)
    except SegmentationError:
        own = []
    if not own:
        raise SegmentationError("INPUT_UNREADABLE", file=path.name)
    return own[0]


def _selected(listed: SeriesList, scan: FolderScan, own: SliceHeader | None, choice: SeriesChoice) -> SelectedSeries:
    row, series = _choose(listed, own, choice)
    if row is None:
        # no volume: what there is goes on to the validation, which says why
        if series is not None:
            _check_one_uid(listed, series)
            return SelectedSeries(list(series.images))
        return SelectedSeries(scan.headers if own is None else [own])
    return select_row(row, scan, [one for one in listed.series if one is not row.series and not one.is_ct_volume])


def select_row(row: Row, scan: FolderScan, no_volumes: Sequence[Series]) -> SelectedSeries:
    """The volume of a row of the list that was made of ``scan``, checked for slices that are not among its own.

    ``no_volumes``: series beside it that are no CT volumes. Raises SegmentationError("INPUT_SLICE_UNUSABLE").
    """
    slices = list(row.slices)
    suspect = possible_slice(slices, scan)
    if suspect is not None:
        raise SegmentationError("INPUT_SLICE_UNUSABLE", file=suspect.path.name, detail=suspect.detail)
    content = row.series.content
    doubtful = next((one for one in content.aside if one.may_be_slice), None)
    if doubtful is not None:
        raise SegmentationError("INPUT_SLICE_UNUSABLE", file=doubtful.header.path.name, detail=doubtful.detail)
    check_line(slices)
    check_ends(slices, no_volumes)
    others = {header.series_uid for header in scan.images} - {row.series.uid}
    of_series = len(slices) + len(content.aside) + len(content.duplicates)
    image_files = {header.path for header in scan.images}
    return SelectedSeries(
        slices,
        aside=content.aside,
        duplicates=len(content.duplicates),
        other_series=len(others),
        other_images=len(scan.images) - of_series,
        other_files=len({header.path for header in scan.headers} - image_files) + len(scan.unread),
        unread=[
            unread
            for unread in scan.unread
            if unread.is_dicom or has_dicom_ending(unread.path) or unread.detail == FOLDER_CLOSED
        ],
        words=row.words,
        name=series_name(row) if others else "",
    )


def _check_one_uid(listed: SeriesList, series: Series) -> None:
    """Raises SegmentationError("INPUT_SLICE_UNUSABLE") where a CT's files have a Series Instance UID each."""
    images = [image for one in listed.series if _is_ct(one) and not one.is_ct_volume for image in one.images]
    for part in take_apart(images).parts:
        others = [image for image in part.slices if image.series_uid != series.uid]
        if 0 < len(others) < len(part.slices):
            detail = "it has another Series Instance UID than the files beside it"
            raise SegmentationError("INPUT_SLICE_UNUSABLE", file=others[0].path.name, detail=detail)


def _choose(listed: SeriesList, own: SliceHeader | None, choice: SeriesChoice) -> tuple[Row | None, Series | None]:
    """The row that is meant; without one the series whose faults are to be reported."""
    if choice.named is not None:
        return _named(listed, choice.named.strip())
    if own is not None:
        series = next((one for one in listed.series if any(_is_same(image, own) for image in one.images)), None)
        return _of_series(listed, series, choice) if series is not None else (None, None)
    referenced = [one for one in listed.series if choice.refers_to(one.uid)] or [
        one for one in listed.series if any(image.sop_uid in choice.instances for image in one.images)
    ]
    if len(referenced) > 1:
        referenced = [one for one in referenced if one.is_ct_volume]
    if len(referenced) == 1:
        return _of_series(listed, referenced[0], choice)
    rows = listed.choices
    if len(rows) > 1:
        raise _several(rows, listed.rows)
    if rows:
        return rows[0], rows[0].series
    # the largest one says best what is wrong; a CT before anything else
    ranked = sorted(listed.series, key=lambda one: (_is_ct(one), len(one.images)), reverse=True)
    return None, ranked[0] if ranked else None


def _is_same(image: SliceHeader, own: SliceHeader) -> bool:
    """True for the same file, by whatever links it was reached."""
    return image.path.name == own.path.name and image.path.resolve() == own.path.resolve()


def _is_ct(series: Series) -> bool:
    return any(image.modality == "CT" for image in series.images)


def _named(listed: SeriesList, name: str) -> tuple[Row | None, Series | None]:
    series = next((one for one in listed.series if one.uid == name), None)
    if series is not None:
        return _of_series(listed, series, ANY_SERIES)
    row = next((row for row in listed.rows if row.id == name), None)
    if row is not None:
        return row, row.series
    parts = [row for row in listed.choices if row.id.startswith(name + ".")]
    if parts:
        raise _several(parts, parts)
    raise SegmentationError("INPUT_SERIES_UNKNOWN", series=name, list=choices_text(listed.rows) if listed.rows else "")


def _of_series(listed: SeriesList, series: Series, choice: SeriesChoice) -> tuple[Row | None, Series | None]:
    if not series.is_ct_volume:
        return None, series
    if len(series.content.parts) == 1:
        return Row("", series, series.content.parts[0].slices), series
    rows = [row for row in listed.rows if row.series is series]
    parts = [row for row in rows if not row.is_together]
    counts = [sum(slice_.sop_uid in choice.instances for slice_ in row.slices) for row in parts]
    if sum(count > 0 for count in counts) == 1:
        best = parts[counts.index(max(counts))]
        return best, series
    raise _several(parts, rows)


def _several(choices: Sequence[Row], rows: Sequence[Row]) -> SegmentationError:
    return SegmentationError("INPUT_SEVERAL_SERIES", count=len(choices), example=choices[0].id, list=choices_text(rows))


def _counted_kind(number: int, kind: str) -> str:
    """``kind`` is one of Aside.kind; its noun gets the plural."""
    if number > 1:
        kind = re.sub(r"\b(localizer|image|page|slice)\b", r"\1s", kind.replace("copy", "copies"), count=1)
    return f"{number} {kind}"


def _counted(number: int, noun: str, plural: str | None = None) -> str:
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
