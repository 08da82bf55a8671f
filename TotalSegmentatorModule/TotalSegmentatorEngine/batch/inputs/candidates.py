"""From the words of the command line to the CTs that they mean, each folder looked through once."""

from __future__ import annotations

import dataclasses
import glob
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, MutableMapping, Sequence
from pathlib import Path

from TotalSegmentatorWire.errors.problem import Problem, SegmentationError

from TotalSegmentatorEngine.batch.inputs import lists
from TotalSegmentatorEngine.batch.inputs.candidate import OTHER_FILES, SEGMENTATIONS, Candidate, Found
from TotalSegmentatorEngine.batch.inputs.dicom_cases import dicom_cases
from TotalSegmentatorEngine.batch.inputs.digests import stamp_of
from TotalSegmentatorEngine.batch.inputs.image_kinds import is_image_name, is_segmentation
from TotalSegmentatorEngine.batch.inputs.lists import ListRow
from TotalSegmentatorEngine.ct_input.reading import is_dicom
from TotalSegmentatorEngine.dicom_series.headers import read_header
from TotalSegmentatorEngine.payloads.find_payload import find_payload
from TotalSegmentatorEngine.series_selection.folder_scan import scan_folder, scan_series
from TotalSegmentatorEngine.series_selection.skipped_files import has_dicom_ending

_DICOMDIR = "DICOMDIR"


class InputMissingError(SegmentationError):
    """INPUT_NOT_FOUND, with the word: a terminal may show it, a log not."""

    def __init__(self, word: str) -> None:
        super().__init__("INPUT_NOT_FOUND")
        self.path = Path(word)


class CandidateSearch:
    """``but``: a folder that is not looked into, that of the results. ``listen`` may raise to stop. ``verdicts``: by
    stamp, which image files are segmentations; new ones are added."""

    def __init__(self, but: Path | None, listen: Callable[[], None], verdicts: MutableMapping[str, bool]) -> None:
        self._but = but
        self._listen = listen
        self._verdicts = verdicts
        self._folders: dict[Path, Found] = {}

    def of_inputs(self, inputs: Sequence[str]) -> Found:
        """Raises InputMissingError for a word that leads nowhere, SegmentationError("BATCH_LIST_INVALID")."""
        found = Found()
        is_alone = len(inputs) == 1 and Path(inputs[0]).exists()
        dicom_files: dict[Path, list[Path]] = defaultdict(list)
        for path in _existing(inputs):
            if path.is_dir():
                found.add(self._of_folder(path))
            elif path.name.upper() == _DICOMDIR:
                found.add(self._of_folder(path.parent))
            elif path.suffix.lower() in lists.SUFFIXES and not is_dicom(path):
                if not is_alone and not lists.is_list(path):  # of an image file that a pattern names, too
                    found.passed_over[OTHER_FILES] += 1
                    continue
                for row in lists.read_list(path):
                    found.add(self._of_row(row))
            elif is_dicom(path):
                dicom_files[path.parent].append(path)
            else:
                found.add(self._of_file(path))
        for files in dicom_files.values():
            found.add(self._of_dicom_files(files))
        return found

    def _of_folder(self, folder: Path) -> Found:
        key = folder.resolve()
        if key not in self._folders:
            scan = scan_folder(folder, self._but, self._listen)
            found = dicom_cases(scan)
            taken = {path for each in found.candidates for path, _ in each.parts}
            for unread in scan.unread:
                if unread.path.absolute() in taken or unread.is_dicom:
                    continue
                self._listen()
                if is_image_name(unread.path):
                    found.add(self._of_file(unread.path))
                elif unread.path.is_file() and not has_dicom_ending(unread.path):
                    found.passed_over[OTHER_FILES] += 1
            self._folders[key] = found
        return self._folders[key]

    def _of_file(self, path: Path) -> Found:
        """An image file, unless it is a segmentation."""
        candidate = _image(path)
        if not is_image_name(path):
            return Found([candidate])  # the user named it: reading it says what it is
        try:
            with path.open("rb") as stream:
                stream.read(1)
            stamp = stamp_of(candidate.parts)
        except OSError:
            return Found(problems=[(path, Problem("INPUT_UNREADABLE", {"file": path.name}))])
        verdict = self._verdicts[stamp] if stamp in self._verdicts else is_segmentation(path)
        if verdict is not None:
            self._verdicts[stamp] = verdict
        if verdict:
            return Found(passed_over=Counter([SEGMENTATIONS]))
        return Found([candidate])

    def _of_row(self, row: ListRow) -> Found:
        """What a row of a list names, as trustworthy as a word of the command line, but one of many."""
        if not row.path.exists():
            return Found(problems=[(row.path, Problem("INPUT_NOT_FOUND"))])
        if not row.path.is_dir() and not is_dicom(row.path):
            return Found([_image(row.path)])
        whole = self._of_folder(row.path) if row.path.is_dir() else self._of_dicom_files([row.path])
        if row.series is None:
            return whole
        chosen = [each for each in whole.candidates if _is_named(each, row.series)]
        if not chosen:
            problem = Problem("INPUT_SERIES_UNKNOWN", {"series": row.series, "list": ""})
            return Found(problems=[(row.path, problem)])
        return Found(chosen, problems=whole.problems)

    def _of_dicom_files(self, files: Sequence[Path]) -> Found:
        """Files of one folder: each stands for its series."""
        uids = {uid for path in files for uid in _series_of(path)}
        if not uids:
            problem = Problem("INPUT_SLICE_UNUSABLE", {"file": files[0].name, "detail": "its DICOM header is damaged"})
            return Found([Candidate(files[0].parent.absolute(), files=tuple(f.name for f in files), problem=problem)])
        first = next(path for path in files if _series_of(path))
        found = dicom_cases(scan_series(first, next(iter(_series_of(first)))))
        return Found([each for each in found.candidates if each.series in uids], problems=found.problems)


def _existing(inputs: Iterable[str]) -> list[Path]:
    """Raises InputMissingError."""
    paths = []
    for word in inputs:
        found = [word] if Path(word).exists() else sorted(glob.glob(word, recursive=True))  # noqa: PTH207 - absolute, too
        if not found:
            raise InputMissingError(word)
        paths += [Path(path) for path in found]
    return paths


def _image(path: Path) -> Candidate:
    """With the files that hold its voxels, where they are not its own."""
    candidate = Candidate(path.absolute())
    if not path.name.lower().endswith((".mhd", ".nhdr")):
        return candidate
    try:
        payload = find_payload(path)
    except SegmentationError:  # reading it says what is wrong
        return candidate
    parts = () if payload is None else payload.parts
    extra = {part.path: None for part in parts if part.path != path and part.path.is_file()}
    return dataclasses.replace(candidate, extra=tuple(extra))


def _series_of(path: Path) -> set[str]:
    try:
        return {header.series_uid for header in read_header(path)}
    except SegmentationError:
        return set()


def _is_named(candidate: Candidate, name: str) -> bool:
    """By a row of the list of series, with all parts of the series that it names, or by its UID."""
    return candidate.series == name or candidate.row == name or candidate.row.startswith(name + ".")
