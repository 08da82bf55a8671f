"""Whether the compressed codestream of one frame is whole, from its markers alone; nothing is decoded.

A decoder makes an image of what is left of a codestream, and most say nothing. Formats: JPEG, ISO/IEC 10918-1 annex B;
JPEG-LS, ISO/IEC 14495-1 annex C; JPEG 2000, ISO/IEC 15444-1 annex A; RLE, DICOM PS3.5 annex G.
"""

from __future__ import annotations

import re
import struct

JPEG = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (*range(50, 67), 70))
_JPEG_LS = frozenset(["1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"])
_JPEG_2000 = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (90, 91, 92, 93, 201, 202, 203))
"""High-throughput JPEG 2000 (201 to 203) has the same markers around its blocks."""
_RLE = "1.2.840.10008.1.2.5"

_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_FRAME_HEADERS = frozenset([*range(0xC0, 0xD0), 0xF7]) - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15, JPEG-LS's SOF55
_ALONE = frozenset([0x01, *range(0xD0, 0xD8)])  # TEM and RST0 to RST7 have no length
_JPEG_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]", re.DOTALL)
_JPEG_LS_MARKER = re.compile(rb"\xff+[\x80-\xcf\xd8-\xfe]")  # a bit is stuffed after FF: data stay below 80

_SOC, _SIZ, _SOT, _EOC = b"\xff\x4f", b"\xff\x51", b"\xff\x90", b"\xff\xd9"


def starts_frame(fragment: bytes, transfer_syntax: str) -> bool:
    """True where this item begins a frame. One of RLE is a frame always (PS3.5 A.4.2); others may go on in the next."""
    if transfer_syntax in JPEG or transfer_syntax in _JPEG_LS:
        return fragment[:2] == bytes([0xFF, _SOI])
    if transfer_syntax in _JPEG_2000:
        return fragment[:4] == _SOC + _SIZ
    return True


def codestream_fault(frame: bytes, transfer_syntax: str, rows: int, columns: int, bits_allocated: int) -> str | None:
    """What is wrong with the codestream of a frame of ``rows`` x ``columns`` pixels; None where it is whole.

    Codestreams of other transfer syntaxes (video) are not judged.
    """
    try:
        if transfer_syntax in JPEG or transfer_syntax in _JPEG_LS:
            marker = _JPEG_LS_MARKER if transfer_syntax in _JPEG_LS else _JPEG_MARKER
            size = _jpeg_size(frame, marker, bits_allocated)
        elif transfer_syntax in _JPEG_2000:
            size = _jpeg_2000_size(frame)
        elif transfer_syntax == _RLE:
            return None if _is_whole_rle(frame, rows * columns) else "an RLE frame is damaged"
        else:
            return None
    except (struct.error, IndexError):
        size = None
    if size is None:
        return "a compressed frame is cut off or damaged"
    return None if size == (rows, columns) else "a compressed frame has another size than the header says"


def _jpeg_size(frame: bytes, marker: re.Pattern[bytes], bits_allocated: int) -> tuple[int, int] | None:
    """Rows and columns of a JPEG stream that runs from SOI to EOI with one scan at least; None where it does not, or
    where its pixels have more bits than are allocated: GDCM's libjpeg writes beyond its memory then."""
    if frame[:2] != bytes([0xFF, _SOI]):
        return None
    place, size, scans = 2, None, 0
    while True:
        while frame[place + 1] == 0xFF:  # fill bytes
            place += 1
        if frame[place] != 0xFF:
            return None
        code = frame[place + 1]
        if code == _EOI:
            return tuple(size) if size and scans else None
        if code in _ALONE:
            place += 2
            continue
        (length,) = struct.unpack_from(">H", frame, place + 2)
        if code in _FRAME_HEADERS:
            precision, *size = struct.unpack_from(">BHH", frame, place + 4)
            if precision > min(bits_allocated, 16):
                return None
        place += 2 + length
        if code == _SOS:
            scans += 1
            found = marker.search(frame, place)
            if found is None:
                return None
            place = found.end() - 2


def _jpeg_2000_size(frame: bytes) -> tuple[int, int] | None:
    """Rows and columns of a JPEG 2000 codestream with all its tile-parts and its end; None where something lacks."""
    start = frame.find(_SOC + _SIZ)  # JP2 boxes in front of it are against the standard, but read
    if start < 0:
        return None
    width, height, left, top, tile_width, tile_height, tile_left, tile_top = struct.unpack_from(">8L", frame, start + 8)
    if not tile_width or not tile_height:
        return None
    tiles = -(-(width - tile_left) // tile_width) * -(-(height - tile_top) // tile_height)
    place = start + 2
    while frame[place : place + 2] != _SOT:  # the main header: segments with their lengths
        if frame[place] != 0xFF:
            return None
        place += 2 + struct.unpack_from(">H", frame, place + 2)[0]
    return (height - top, width - left) if _has_all_tiles(frame, place, tiles) else None


def _has_all_tiles(frame: bytes, place: int, tiles: int) -> bool:
    """True where a chain of tile-parts begins at ``place``, holds every tile whole and ends with EOC."""
    seen: dict[int, int] = {}
    stated: dict[int, int] = {}
    while frame[place : place + 2] == _SOT:
        index, length, part, parts = struct.unpack_from(">HLBB", frame, place + 4)
        if part != seen.get(index, 0) or index >= tiles:
            return False
        seen[index] = part + 1
        stated[index] = parts or stated.get(index, 0)
        if length == 0:  # the last one goes on to the end
            place = frame.rfind(_EOC, place)
            break
        place += length
    if place < 0 or frame[place : place + 2] != _EOC:
        return False
    # more tile-parts than stated are no loss; some encoders count from 0
    return len(seen) == tiles and all(seen[index] >= count for index, count in stated.items())


def _is_whole_rle(frame: bytes, pixels: int) -> bool:
    """True where the header's segments lie one behind the other, and each of them expands to ``pixels`` bytes."""
    count, *offsets = struct.unpack_from("<16L", frame)
    if not 1 <= count <= 15 or offsets[0] != 64:
        return False
    ends = [*offsets[1:count], len(frame)]
    return all(_expands_to(frame[start:end], pixels) for start, end in zip(offsets, ends, strict=False))


def _expands_to(segment: bytes, size: int) -> bool:
    """Runs and literals of PackBits (PS3.5 G.3.1) give ``size`` bytes; what follows them is filling."""
    place = made = 0
    while made < size and place < len(segment):
        control = segment[place]
        if control < 128:
            place += control + 2
            made += control + 1
        else:
            place += 2 if control > 128 else 1
            made += 257 - control if control > 128 else 0
    return made == size and place <= len(segment) and not segment[place:].strip(b"\x00\x80")
