"""Finds the voxels of NRRD files by the format's definition (teem.sourceforge.net/nrrd/format.html)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import BinaryIO

from TotalSegmentatorEngine.payloads.payload import AT_THE_END, Part, Payload, damaged
from TotalSegmentatorEngine.payloads.streams import BZIP2, GZIP, NONE

MAGIC = b"NRRD"

_FIELD = re.compile(r"([^:]+):(=|\s*)(.*)")
_PATTERN = re.compile(r"(\S*%\d*d\S*)\s+(-?\d+)\s+(-?\d+)\s+(-?\d+)(\s+\d+)?\s*$")
_ENCODINGS = {"raw": NONE, "gzip": GZIP, "gz": GZIP, "bzip2": BZIP2, "bz2": BZIP2}
_LONGEST_LINE = 1 << 24


def find_nrrd(path: Path) -> Payload | None:
    """None where the voxels are text. Raises SegmentationError("INPUT_DAMAGED"), OSError."""
    with path.open("rb") as stream:
        fields, files = _header(stream)
        start = stream.tell()
    encoding = fields.get("encoding", "").lower()
    if encoding not in _ENCODINGS:
        return None
    try:
        skip = int(fields.get("byte skip", fields.get("byteskip", "0")))
        lines = int(fields.get("line skip", fields.get("lineskip", "0")))
    except ValueError:
        raise damaged(path, "its header is damaged") from None
    compression = _ENCODINGS[encoding]
    places = [(path, start)] if files is None else [(path.parent / name, 0) for name in files]
    if not places:
        raise damaged(path, "its header names no data file")
    parts = []
    for place, offset in places:
        if skip < 0 and compression == NONE:
            parts.append(Part(place, AT_THE_END))
        else:
            parts.append(Part(place, offset, compression, max(skip, 0), lines))
    return Payload(tuple(parts), fields.get("endian", "little").lower() == "big")


def _header(stream: BinaryIO) -> tuple[dict[str, str], list[str] | None]:
    """Fields by their names in small letters, and the names of the data files; None where the voxels follow."""
    fields: dict[str, str] = {}
    stream.readline()  # the magic
    while line := stream.readline(_LONGEST_LINE).decode("latin-1").rstrip("\r\n"):
        found = _FIELD.match(line)
        if found is None or line.startswith("#") or found[2] == "=":
            continue
        name, value = found[1].strip().lower(), found[3].strip()
        if name in ("data file", "datafile"):
            return {**fields, **_rest(stream, value)}, _data_files(stream, value)
        fields[name] = value
    return fields, None


def _rest(stream: BinaryIO, data_file: str) -> dict[str, str]:
    """Fields behind the data file's; a list of files ends the header."""
    if data_file.split()[:1] == ["LIST"]:
        return {}
    return _header(stream)[0]


def _data_files(stream: BinaryIO, value: str) -> list[str]:
    if value.split()[:1] == ["LIST"]:
        names = (line.decode("utf-8", "surrogateescape").strip() for line in stream)
        return [name for name in names if name]
    pattern = _PATTERN.match(value)
    if pattern is None:
        return [value.encode("latin-1").decode("utf-8", "surrogateescape")]
    first, last, step = int(pattern[2]), int(pattern[3]), int(pattern[4]) or 1
    return [pattern[1] % number for number in range(first, last + (1 if step > 0 else -1), step)]
