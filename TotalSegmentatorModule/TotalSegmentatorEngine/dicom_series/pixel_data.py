"""Whether a DICOM file holds all the pixels that its header promises, before anything decodes them.

GDCM reads a Pixel Data element that is too short without a word: what is missing keeps what lay in memory. So the
length of uncompressed pixels is compared with Rows x Columns x ..., and compressed ones are followed item by item
(PS3.5 A.4) and marker by marker (codestreams.py) to the end of each frame.
"""

from __future__ import annotations

import io
import logging
import struct
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from TotalSegmentatorEngine.dicom_series.codestreams import JPEG, codestream_fault, starts_frame

_PIXELS = frozenset([0x7FE00008, 0x7FE00009, 0x7FE00010])
"""Float Pixel Data, Double Float Pixel Data, Pixel Data."""
_UNDEFINED = 0xFFFFFFFF
_ITEM, _END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"  # (FFFE,E000), (FFFE,E0DD); compressed is little endian
_LONG_FORMS = frozenset(["OB", "OW", "OF", "OD", "OL", "OV", "UN"])
"""Value representations of pixels whose element has a head of 12 bytes (PS3.5 7.1.2); of others it has 8."""
_DEFLATED = "1.2.840.10008.1.2.1.99"
_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_IMPLICIT = "1.2.840.10008.1.2"
_UNCOMPRESSED = frozenset([_IMPLICIT, "1.2.840.10008.1.2.1", _DEFLATED, _BIG_ENDIAN, "1.2.840.113619.5.2", ""])
"""Transfer syntaxes of plain pixels (PS3.5 A.1, A.2, A.5, GE's private one); empty where the file states none."""


@dataclass(frozen=True)
class PixelElement:
    """Where a file's Pixel Data is, as its own header says. Nothing of it has been read."""

    offset: int
    """Of the first byte of the value, in the file or, where that is deflated, in what it inflates to."""
    length: int | None
    """Bytes as the element states them; None for an undefined length, that of encapsulated frames."""
    available: int
    """Bytes from ``offset`` to the end of the file."""


@dataclass(frozen=True)
class StoredImage:
    """What the header says about the pixels."""

    rows: int
    columns: int
    samples: int
    bits_allocated: int
    frames: int
    transfer_syntax: str
    element: PixelElement | None
    """None in a file that ends before its pixels, or has none."""

    @property
    def is_compressed(self) -> bool:
        return self.transfer_syntax not in _UNCOMPRESSED

    @property
    def is_jpeg(self) -> bool:
        """True where the decoder makes an image of damaged data and only prints a line: not JPEG-LS, not JPEG 2000."""
        return self.transfer_syntax in JPEG

    @property
    def expected_bytes(self) -> int:
        """Size of the uncompressed pixels; one-bit pixels are packed across rows and frames (PS3.5 8.1.1)."""
        bits = self.rows * self.columns * self.samples * self.frames * self.bits_allocated
        return (bits + 7) // 8

    @property
    def row_bytes(self) -> int:
        return max(1, min(self.rows, self.columns) * self.samples * self.bits_allocated // 8)


def read_to_pixels(path: Path, tags: tuple[str, ...] | None = None) -> tuple[Any, PixelElement | None]:
    """pydicom's dataset of what comes before the pixels, all of it or ``tags`` only, and where the pixels are.

    Raises OSError, EOFError for a file that is cut off or in which an element goes beyond the end, and whatever pydicom
    raises for damaged bytes.
    """
    from pydicom.filereader import read_dataset, read_partial

    logging.getLogger("pydicom").propagate = False  # its messages hold paths and values
    end = _Stop()
    specific = None if tags is None else list(_tags_of(tags))
    with path.open("rb") as stream:
        dataset = read_partial(stream, stop_when=end, force=True, specific_tags=specific)
        if any(_is_short(found) for found in (*dataset.file_meta.elements(), *dataset.elements())):
            raise EOFError
        source: BinaryIO = stream
        if dataset.file_meta.get("TransferSyntaxUID") == _DEFLATED:
            source, end = _inflated(stream, dataset.file_meta), _Stop()
            read_dataset(source, is_implicit_VR=False, is_little_endian=True, stop_when=end, specific_tags=[])
        return dataset, end.element(source)


def _is_short(element: Any) -> bool:
    """True for an element, not interpreted yet, that states more bytes than were left in the file."""
    value, length = getattr(element, "value", None), getattr(element, "length", 0)
    return isinstance(value, bytes) and length != _UNDEFINED and len(value) < length


@cache
def _tags_of(names: tuple[str, ...]) -> tuple[Any, ...]:
    """As pydicom has them; looking the keywords up for each file would take as long as reading it."""
    from pydicom.tag import Tag

    return tuple(Tag(name) for name in names)


class _Stop:
    """Ends pydicom's reading at the pixels, and knows then what their element states."""

    def __init__(self) -> None:
        self._found: tuple[str | None, int] | None = None

    def __call__(self, tag: int, vr: str | None, length: int) -> bool:
        if tag in _PIXELS:
            self._found = vr, length
            return True
        return False

    def element(self, stream: BinaryIO) -> PixelElement | None:
        """``stream`` stands where the element begins. Raises EOFError where it was sent beyond its end."""
        if self._found is None:
            if stream.tell() > stream.seek(0, io.SEEK_END):
                raise EOFError
            return None
        vr, length = self._found
        offset = stream.tell() + (12 if vr in _LONG_FORMS else 8)
        available = max(0, stream.seek(0, io.SEEK_END) - offset)
        return PixelElement(offset, None if length == _UNDEFINED else length, available)


def stored_image(dataset: Any, element: PixelElement | None) -> StoredImage:
    """Of what ``read_to_pixels`` returns."""
    return StoredImage(
        rows=int(dataset.get("Rows") or 0),
        columns=int(dataset.get("Columns") or 0),
        samples=int(dataset.get("SamplesPerPixel") or 1),
        bits_allocated=int(dataset.get("BitsAllocated") or 16),
        frames=int(dataset.get("NumberOfFrames") or 1),
        transfer_syntax=str(dataset.file_meta.get("TransferSyntaxUID") or ""),
        element=element,
    )


def pixel_fault(path: Path, image: StoredImage) -> str | None:
    """What is wrong with the file's pixels, in a few words for the log; None where they are complete.

    Uncompressed: too short, cut off, or longer by rows that are no filling (Rows or Columns are wrong then).
    Compressed: an item or the end is missing, another number of frames, a codestream that is incomplete or of another
    size. Next to nothing is read of an uncompressed file; a compressed one is read once. Raises OSError.
    """
    element = image.element
    if element is None:
        return "no pixels"
    if not image.is_compressed:
        return _length_fault(path, image, element)
    with path.open("rb") as stream:
        stream.seek(element.offset)
        return _encapsulated_fault(image, stream.read())


def _length_fault(path: Path, image: StoredImage, element: PixelElement) -> str | None:
    if element.length is None:
        return "encapsulated pixels in a file that says it is not compressed"
    if element.length < image.expected_bytes:
        return "fewer pixels than Rows x Columns"
    if element.available < image.expected_bytes:
        return "the file is cut off"
    excess = element.length - image.expected_bytes
    if excess >= image.row_bytes and not (image.frames == 1 and _is_filling(path, image, excess)):
        return "more pixels than Rows x Columns"
    return None


def _is_filling(path: Path, image: StoredImage, excess: int) -> bool:
    """True where what follows the pixels of a single frame is one byte again and again. In a deflated file nobody
    looks: it may be anything."""
    if image.transfer_syntax == _DEFLATED:
        return False
    with path.open("rb") as stream:
        stream.seek(image.element.offset + image.expected_bytes)
        return len(set(stream.read(excess))) == 1


def _encapsulated_fault(image: StoredImage, value: bytes) -> str | None:
    if image.element.length is not None:
        return "compressed pixels that are not encapsulated"
    fragments = _fragments(value)
    if fragments is None:
        return "the compressed pixels are cut off"
    frames: list[bytes] = []
    for fragment in fragments:
        if not frames or starts_frame(fragment, image.transfer_syntax):
            frames.append(fragment)
        else:
            frames[-1] += fragment
    if len(frames) != image.frames:
        return "another number of compressed frames than the header says"
    about = (image.transfer_syntax, image.rows, image.columns, image.bits_allocated)
    faults = (codestream_fault(frame, *about) for frame in frames)
    return next((fault for fault in faults if fault), None)


def _fragments(value: bytes) -> list[bytes] | None:
    """The items behind the Basic Offset Table, up to the sequence's end; None where one of them is incomplete."""
    items: list[bytes] = []
    place = 0
    while True:
        tag, size = value[place : place + 4], value[place + 4 : place + 8]
        if len(size) < 4:
            return None
        length = struct.unpack("<L", size)[0]
        if tag == _END:
            return items[1:]
        place += 8 + length
        if tag != _ITEM or place > len(value):
            return None
        items.append(value[place - length : place])


def _inflated(stream: BinaryIO, file_meta: Any) -> BinaryIO:
    """What follows the file meta information of a deflated file (PS3.5 A.5).

    Raises EOFError where the deflated data do not come to their end, zlib.error where they are damaged.
    """
    stream.seek(0)
    preamble = 132 if stream.read(132)[128:] == b"DICM" else 0
    stream.seek(preamble + 12 + int(file_meta.FileMetaInformationGroupLength))
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    data = inflater.decompress(stream.read()) + inflater.flush()
    if not inflater.eof:
        raise EOFError
    return io.BytesIO(data)
