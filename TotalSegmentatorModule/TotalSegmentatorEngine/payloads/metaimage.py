"""Finds the voxels of MetaImage files (.mha, .mhd) by the format's definition (itk.org/Wiki/ITK/MetaIO/Documentation).

What MetaIO (ITK 5.4, metaImage.cxx) does counts where the definition says nothing: zlib and gzip are told apart by
their first bytes, and a header's size counts from the start of the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from TotalSegmentatorEngine.payloads.payload import AT_THE_END, Part, Payload, damaged
from TotalSegmentatorEngine.payloads.streams import GZIP, GZIP_MAGIC, NONE, ZLIB

SUFFIXES = (".mha", ".mhd")
_LONGEST_LINE = 1 << 20


def find_metaimage(path: Path) -> Payload | None:
    """None where the voxels are text. Raises SegmentationError("INPUT_DAMAGED"), OSError."""
    with path.open("rb") as stream:
        fields, files = _header(path, stream)
        start = stream.tell()
    if not _is_true(fields, "BinaryData", default="True"):
        return None
    is_compressed = _is_true(fields, "CompressedData")
    try:
        header_size = int(float(fields.get("HeaderSize", "0")))
    except ValueError:
        raise damaged(path, "its header is damaged") from None
    places = [(path, start)] if files is None else [(path.parent / name, 0) for name in files]
    parts = []
    for place, offset in places:
        if header_size < 0 and not is_compressed:
            parts.append(Part(place, AT_THE_END))
            continue
        offset = header_size if header_size > 0 else offset
        parts.append(Part(place, offset, _compression(place, offset) if is_compressed else NONE))
    order = "ElementByteOrderMSB" if "ElementByteOrderMSB" in fields else "BinaryDataByteOrderMSB"
    return Payload(tuple(parts), _is_true(fields, order))


def _header(path: Path, stream: BinaryIO) -> tuple[dict[str, str], list[str] | None]:
    """Fields, and the names of the data files; None where the voxels follow."""
    fields: dict[str, str] = {}
    while line := stream.readline(_LONGEST_LINE).decode("latin-1"):
        separator = "=" if "=" in line else ":"
        name, _, value = (word.strip() for word in line.partition(separator))
        fields[name] = value
        if name == "ElementDataFile":
            return fields, _data_files(stream, value, fields)
    raise damaged(path, "its header has no end")


def _data_files(stream: BinaryIO, value: str, fields: dict[str, str]) -> list[str] | None:
    words = value.split()
    if value in ("LOCAL", "Local", "local"):
        return None
    if words[:1] == ["LIST"]:
        names = (line.decode("utf-8", "surrogateescape").strip() for line in stream)
        return [name for name in names if name]
    if "%" in value and len(words) >= 2:
        depth = int(fields.get("DimSize", "1").split()[-1])
        numbers = [int(word) for word in words[1:4]]
        first = numbers[0]
        step = numbers[2] if len(numbers) > 2 else 1
        last = numbers[1] if len(numbers) > 1 else first + depth - 1
        return [words[0] % number for number in range(first, last + 1, step or 1)]
    return [value.encode("latin-1").decode("utf-8", "surrogateescape")]


def _compression(path: Path, offset: int) -> str:
    try:
        with path.open("rb") as stream:
            stream.seek(offset)
            return GZIP if stream.read(2) == GZIP_MAGIC else ZLIB
    except OSError:
        raise damaged(path, "it is missing or cannot be opened") from None


def _is_true(fields: dict[str, str], name: str, default: str = "False") -> bool:
    """MetaIO looks at the first letter."""
    return fields.get(name, default)[:1] in ("T", "t", "1")
