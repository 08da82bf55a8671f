"""Tells DICOM files from others by their first bytes, with DICOM's preamble or without it."""

from __future__ import annotations

import struct
from pathlib import Path

_MAGIC_AT, _MAGIC = 128, b"DICM"
"""PS3.10 7.1."""

_FILE_META = b"\x02\x00\x00\x00"
"""The first element of File Meta Information, always in little endian (PS3.10 7.1)."""

_FIRST_GROUPS = (0x0002, 0x0008, 0x0010, 0x0018, 0x0020, 0x0028)
"""Groups with which a data set of an image can begin: tags ascend (PS3.5 7.1), and 0028 describes the pixels."""

_VALUE_REPRESENTATIONS = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split()
)
"""PS3.5 table 6.2-1."""

_LONGEST_FIRST_TEXT = 1024
"""Of a first element without a value representation; those that a data set can begin with are shorter."""

_LENGTH_ELEMENTS = (0x0000, 0x0001)
"""Group Length and Length to End: binary values of 4 bytes, PS3.5 7.2."""


def looks_like_dicom(path: Path) -> bool:
    """True for a file with DICOM's preamble, or one without it that begins with an element of a data set."""
    try:
        with path.open("rb") as stream:
            return begins_like_dicom(stream.read(_MAGIC_AT + _LONGEST_FIRST_TEXT))
    except OSError:
        return False


def begins_like_dicom(start: bytes) -> bool:
    """``start``: the first kilobyte of a file, all of it where it is shorter."""
    return start[_MAGIC_AT : _MAGIC_AT + len(_MAGIC)] == _MAGIC or _begins_with_element(start)


def with_preamble(data: bytes) -> bytes:
    """A file that begins with File Meta Information, without the preamble before it, and the preamble; else nothing."""
    return bytes(_MAGIC_AT) + _MAGIC + data if data[:4] == _FILE_META else b""


def _begins_with_element(start: bytes) -> bool:
    """Explicit VR in either byte order, implicit VR in little endian (PS3.5 7.1.2, 7.1.3, A.3)."""
    if len(start) < 12:
        return False
    for order in "<>":
        group, element = struct.unpack(order + "HH", start[:4])
        if group in _FIRST_GROUPS:
            if start[4:6] in _VALUE_REPRESENTATIONS:
                return True
            if order == "<" and _is_implicit(element, *struct.unpack("<I", start[4:8]), start[8:]):
                return True
    return False


def _is_implicit(element: int, length: int, value: bytes) -> bool:
    """True where an element without a value representation has a value as a first element has one: a short text."""
    if element in _LENGTH_ELEMENTS:
        return length == 4
    if length % 2 or length > _LONGEST_FIRST_TEXT:
        return False
    text = value[:length].rstrip(b"\0 ")
    return all(32 <= byte < 127 for byte in text) and (length == 0 or bool(text))
