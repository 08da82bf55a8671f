"""Unpacks ZIP archives of models, and refuses what does not belong into one.

An archive comes from a server or from a user's stick. It may name places outside the folder, hold links, or unpack to
more than any disk holds; nothing of it is written before its whole table of entries has been checked.
"""

from __future__ import annotations

import lzma
import re
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorSetup.support.progress import SetupReporter

MOST_ENTRIES = 2000
_LARGEST_RATIO = 200.0
"""Unpacked bytes per packed byte of the whole archive: weights hardly shrink, tables shrink to a tenth."""
_RATIO_MATTERS_ABOVE = 64 * 1024**2
"""Bytes; a small archive of small texts may shrink more."""
_CHUNK_BYTES = 1024 * 1024
_RESERVED = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)(\..*)?$", re.IGNORECASE)
"""Names that Windows gives to devices."""
_FORBIDDEN = re.compile(r'[<>:"|?*\\\x00-\x1f]')
"""Characters that no file name of Windows may hold; a backslash would be a folder there and a name elsewhere."""


def unpack(archive: Path, target: Path, reporter: SetupReporter, limit_bytes: int) -> None:
    """Writes what is in ``archive`` into ``target``, a folder that the caller renames or removes.

    Raises SegmentationError: ARCHIVE_DAMAGED, ARCHIVE_TOO_LARGE, ARCHIVE_UNSAFE, SETUP_CANCELLED.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = _checked_entries(opened, archive, limit_bytes)
            _write_all(opened, entries, archive, target, reporter)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError) as error:
        raise SegmentationError("ARCHIVE_DAMAGED", file=archive.name) from error


def _checked_entries(opened: zipfile.ZipFile, archive: Path, limit_bytes: int) -> list[zipfile.ZipInfo]:
    """The entries, in their order, once all of them are found harmless."""
    entries = opened.infolist()
    if len(entries) > MOST_ENTRIES:
        raise SegmentationError("ARCHIVE_UNSAFE", file=archive.name, detail=f"more than {MOST_ENTRIES} entries")
    total = sum(entry.file_size for entry in entries)
    packed = max(sum(entry.compress_size for entry in entries), 1)
    if total > limit_bytes or (total > _RATIO_MATTERS_ABOVE and total > _LARGEST_RATIO * packed):
        raise SegmentationError("ARCHIVE_TOO_LARGE", file=archive.name, limit_gb=limit_bytes / 1e9)
    files: set[str] = set()
    for entry in entries:
        detail = _fault(entry)
        name = entry.filename.rstrip("/").lower()
        parents = {str(parent) for parent in PurePosixPath(name).parents}
        if detail is None and (parents & files or (not entry.is_dir() and name in files)):
            detail = "two entries with the same name"
        if detail is not None:
            raise SegmentationError("ARCHIVE_UNSAFE", file=archive.name, detail=detail)
        if not entry.is_dir():
            files.add(name)
    return entries


def _fault(entry: zipfile.ZipInfo) -> str | None:
    """What is wrong with an entry, in words; None for a plain file or folder inside the archive."""
    name = entry.orig_filename  # zipfile cuts names at a zero byte and turns a system's separators
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or re.match(r"^[A-Za-z]:", name):
        return "a path that leads out of its folder"
    if not parts or any(
        _FORBIDDEN.search(part) or _RESERVED.match(part) or part != part.rstrip(" .") for part in parts
    ):
        return "a name that not every system allows"
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a link or a device"
    if entry.flag_bits & 0x1:
        return "an encrypted file"
    return None


def _write_all(
    opened: zipfile.ZipFile, entries: list[zipfile.ZipInfo], archive: Path, target: Path, reporter: SetupReporter
) -> None:
    total = max(sum(entry.file_size for entry in entries), 1)
    done = 0
    target.mkdir(parents=True, exist_ok=True)
    for entry in entries:
        path = target / PurePosixPath(entry.filename)
        if entry.is_dir():
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        written = 0
        with opened.open(entry) as source, path.open("xb") as stream:
            while chunk := source.read(_CHUNK_BYTES):
                written += len(chunk)
                if written > entry.file_size:  # the table of entries lied
                    raise SegmentationError("ARCHIVE_TOO_LARGE", file=archive.name, limit_gb=total / 1e9)
                stream.write(chunk)
                reporter.advance((done + written) / total)
        done += written
