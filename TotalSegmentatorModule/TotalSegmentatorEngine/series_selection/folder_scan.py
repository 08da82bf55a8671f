"""Reads the header of every DICOM file below a folder, once, and lists what could not be read."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.dicom_series.headers import HEADER_DAMAGED, SliceHeader, read_header
from TotalSegmentatorEngine.dicom_series.recognition import looks_like_dicom

_OF_THE_SYSTEM = frozenset(["thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "dicomdir"])
_FOLDERS_OF_THE_SYSTEM = frozenset(["__macosx", "@eadir", "$recycle.bin", "system volume information"])
"""In lower case: what operating systems and file servers put into any folder, and DICOM's own list of a disc."""

FOLDER_CLOSED = "it is a folder that cannot be opened"

_FILES_LOOKED_AT = 3
"""In a folder beside that of a file, to see whether the file's series goes on there."""

_START_BYTES = 1 << 16
"""The Series Instance UID stands in group 0020, within the first kilobytes of an image's header."""


@dataclass(frozen=True)
class Unread:
    """A file that is no readable DICOM file."""

    path: Path
    detail: str
    """Why, as a clause: "it is empty"."""
    is_dicom: bool = False
    """True where it begins like a DICOM file."""
    series_uid: str = ""
    """Of a damaged DICOM file, where it can still be found."""
    sop_uid: str = ""
    """Likewise."""


@dataclass(frozen=True, eq=False)
class FolderScan:
    """The files of a folder tree, in the order of their names."""

    headers: list[SliceHeader] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)

    @property
    def images(self) -> list[SliceHeader]:
        return [header for header in self.headers if header.is_image]


def scan_folder(folder: Path, but: Path | None = None, listen: Callable[[], None] = lambda: None) -> FolderScan:
    """All files of ``folder`` and below; not hidden ones, the system's own and those in the folder ``but``.

    Symbolic links are followed, each folder is visited once. Of a file that is no DICOM file the start alone is read.
    ``listen`` is called before each file; it may raise to stop.
    """
    scan = FolderScan()
    for path in _files_below(folder, scan.unread, but):
        listen()
        try:
            headers = read_header(path)
        except SegmentationError:
            scan.unread.append(Unread(path, HEADER_DAMAGED, True, *_identifiers_in(path)))
            continue
        scan.headers.extend(headers)
        if not headers:
            scan.unread.append(_unread(path))
    return scan


def scan_series(path: Path, series_uid: str) -> FolderScan:
    """The files of the folder of ``path`` and below; or of the folder above, where the series of the file goes on there
    or in a folder beside its own, as on discs with so many files a folder. Mere copies there do not count."""
    scan = scan_folder(path.parent)
    if not series_uid or not _is_above(path.parent, series_uid):
        return scan
    wide = scan_folder(path.parent.parent)
    places = _places(scan, series_uid)
    return wide if _places(wide, series_uid) - places else scan


def _is_above(folder: Path, series_uid: str) -> bool:
    """True where the folder above, or one of the first files in a folder beside this one, holds the series too."""
    try:
        files, folders = _listed(folder.parent)
        for other in folders:
            files += _listed(other)[0][:_FILES_LOOKED_AT] if other != folder else []
    except OSError:
        return False
    return any(_is_of_series(file, series_uid) for file in files)


def _places(scan: FolderScan, series_uid: str) -> set[tuple]:
    """Positions of the series' images to a tenth of a millimetre."""
    return {
        tuple(header.position.round(1).tolist())
        for header in scan.images
        if header.series_uid == series_uid and header.position is not None
    }


def natural_key(name: str) -> list[tuple[int, str]]:
    """Sorts "IM2" before "IM10"."""
    parts = re.split(r"(\d+)", name.lower())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts if part]


def _files_below(folder: Path, unread: list[Unread], but: Path | None = None) -> Iterator[Path]:
    """Depth first, files of a folder before its subfolders. Folders that cannot be opened go to ``unread``."""
    waiting, links, visited = [folder], [], set()
    if but is not None and but.exists():
        status = but.stat()
        visited.add((status.st_dev, status.st_ino))
    while waiting or links:
        current = waiting.pop() if waiting else links.pop(0)
        try:
            status = current.stat()
            if (status.st_dev, status.st_ino) in visited:
                continue
            visited.add((status.st_dev, status.st_ino))
            files, folders = _listed(current)
        except OSError:
            unread.append(Unread(current, FOLDER_CLOSED))
            continue
        yield from files
        waiting.extend(path for path in reversed(folders) if not path.is_symlink())
        links.extend(path for path in folders if path.is_symlink())  # last: a folder keeps its own name


def _listed(folder: Path) -> tuple[list[Path], list[Path]]:
    """Files and folders in the order of their names, without hidden ones and the system's. Raises OSError."""
    entries = sorted(os.scandir(folder), key=lambda entry: (natural_key(entry.name), entry.name))
    files, folders = [], []
    for entry in entries:
        name = entry.name.lower()
        if name.startswith("."):
            continue
        if _is(entry.is_dir):
            folders += [folder / entry.name] * (name not in _FOLDERS_OF_THE_SYSTEM)
        elif (_is(entry.is_file) or _leads_nowhere(entry)) and name not in _OF_THE_SYSTEM:
            files.append(folder / entry.name)
    return files, folders


def _is(test: Callable[[], bool]) -> bool:
    """False for what cannot be looked at, such as a link in a circle."""
    try:
        return test()
    except OSError:
        return False


def _leads_nowhere(entry: os.DirEntry) -> bool:
    """True for a link whose file is not there, as in a copy of a data set whose files are fetched on demand."""
    return entry.is_symlink() and not Path(entry.path).exists()


def _is_of_series(path: Path, series_uid: str) -> bool:
    try:
        return any(header.series_uid == series_uid for header in read_header(path)[:1])
    except SegmentationError:
        return False


def _unread(path: Path) -> Unread:
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            stream.read(1)
    except OSError:
        return Unread(path, "its file is missing" if path.is_symlink() else "it cannot be opened")
    return Unread(path, "it is empty" if size == 0 else "it is not a DICOM file", looks_like_dicom(path))


def _identifiers_in(path: Path) -> tuple[str, str]:
    """Series and SOP Instance UID, looked for as bytes: the tag in little endian, VR or length, then the text."""
    try:
        with path.open("rb") as stream:
            start = stream.read(_START_BYTES)
    except OSError:
        return "", ""
    found = (
        re.search(tag + rb"(?:UI..|..\x00\x00)([0-9.]{5,64})", start, re.DOTALL)
        for tag in (rb"\x20\x00\x0e\x00", rb"(?:\x02\x00\x03|\x08\x00\x18)\x00")
    )
    series, instance = (match[1].decode("ascii").rstrip("\0") if match else "" for match in found)
    return series, instance
