"""The names of label values inside a NIfTI file, as TotalSegmentator 2 has them.

Its ``load_multilabel_nifti`` (totalsegmentator/nifti_ext_header.py) takes the first header extension for an XML
document: CaretExtension / VolumeInformation / LabelTable / Label, with the value in the attribute Key, colours 0..1 in
Red, Green and Blue, and the name as text. NIfTI-1 keeps extensions between header and voxels
(https://nifti.nimh.nih.gov/nifti-1/documentation/nifti1fields/nifti1fields_pages/extension.html).
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

Colour = tuple[int, int, int]

_CODE = 0
"""TotalSegmentator writes its table under the code for data of an unknown kind."""
_HAS_EXTENSIONS = b"\1\0\0\0"
_STEP = 16
"""The length of an extension is a multiple of this."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelName:
    """What a table says about one value of a label image."""

    value: int
    name: str
    colour: Colour | None = None
    """0..255 per channel."""


def name_extension(names: Sequence[LabelName]) -> bytes:
    """What goes between a NIfTI-1 header and the voxels: the sign for extensions, and one with ``names``.

    The same names give the same bytes; so there is no date in it.
    """
    text = (_document(names)).encode("utf-8")
    length = 8 + len(text)
    padding = b" " * (-length % _STEP)  # which an XML parser takes after the end of a document
    return _HAS_EXTENSIONS + struct.pack("<ii", length + len(padding), _CODE) + text + padding


def _document(names: Sequence[LabelName]) -> str:
    rows = []
    for label in names:
        red, green, blue = (f"{channel / 255:.6f}" for channel in label.colour or (128, 174, 128))
        name = escape(_printable(label.name))
        rows.append(f'<Label Key="{label.value}" Red="{red}" Green="{green}" Blue="{blue}" Alpha="1">{name}</Label>')
    body = "\n".join(rows)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<CaretExtension><VolumeInformation Index="0"><LabelTable>\n'
        f"{body}\n</LabelTable><VolumeType>Label</VolumeType></VolumeInformation></CaretExtension>"
    )


def _printable(name: str) -> str:
    """XML 1.0 has no control characters, escaped or not."""
    return " ".join("".join(c if c.isprintable() else " " for c in name).split())


def names_in_nifti(path: Path) -> list[LabelName]:
    """The rows of the first label table among the header extensions, in their order; values can occur twice.

    Empty where there is none, or none that can be read. Background rows are left out.
    """
    import nibabel

    try:
        extensions = list(nibabel.load(path).header.extensions)
    except Exception as error:  # noqa: BLE001 - nibabel raises many kinds; reading the voxels says what is wrong
        _log.info("no header extensions could be read (%s)", type(error).__name__)
        return []
    for extension in extensions:
        names = _names_in(extension)
        if names:
            return names
    return []


def _names_in(extension: Any) -> list[LabelName]:
    try:
        content = extension.get_content()
    except Exception as error:  # noqa: BLE001 - one of a kind that nibabel decodes, such as DICOM, and damaged
        _log.info("a header extension could not be read (%s)", type(error).__name__)
        return []
    if isinstance(content, str):
        content = content.encode("utf-8")
    if not isinstance(content, bytes) or b"<Label" not in content or b"<!" in content.replace(b"<![CDATA[", b""):
        return []  # a document with definitions of its own could grow without end
    try:
        root = ElementTree.fromstring(content.strip(b" \0\r\n\t"))
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        _log.info("a header extension is no XML (%s)", type(error).__name__)
        return []
    table = next(root.iter("LabelTable"), None)
    if table is None:
        return []
    rows = (_row(element) for element in table.iter("Label"))
    return [row for row in rows if row is not None]


def _row(element: ElementTree.Element) -> LabelName | None:
    name = " ".join("".join(element.itertext()).split())
    try:
        value = int(element.get("Key", ""))
    except ValueError:
        return None
    return LabelName(value, name, _colour(element)) if name and value > 0 else None


def _colour(element: ElementTree.Element) -> Colour | None:
    try:
        red, green, blue = (
            round(255 * min(1.0, max(0.0, float(element.get(channel, ""))))) for channel in ("Red", "Green", "Blue")
        )
    except ValueError:
        return None
    return red, green, blue
