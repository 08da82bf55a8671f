"""What stands in the tables that go beside images or by themselves: comma-separated, UTF-8, a header line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO

from TotalSegmentatorEngine.export.core.codes import Code
from TotalSegmentatorEngine.export.core.roi import Roi

_CODES = ("Category", "Type", "TypeModifier", "Region", "RegionModifier")


def write_table(stream: BinaryIO, rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Quotation marks become apostrophes, since VTK's reader, which Slicer has, cannot take them."""
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _plain(row.get(name, "")) for name in columns})
    text.flush()
    text.detach()  # the stream is the caller's to close


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(value.replace('"', "'").split()) if isinstance(value, str) else value


def write_label_table(stream: BinaryIO, rois: Sequence[Roi]) -> None:
    """What the labels mean, in the columns of Slicer's colour tables (Docs/developer_guide/modules/colors.md in its
    source), so that Slicer takes names, colours and terminology from it; then ours, which Slicer passes over."""
    codes = [f"{kind}_{part}" for kind in _CODES for part in ("CodingScheme", "CodeValue", "CodeMeaning")]
    colours = ["Color_R", "Color_G", "Color_B", "Color_A"]
    columns = ["LabelValue", "Name", *colours, *codes, "Description", "ReviewState", "Cut", "Algorithm", "Segments"]
    write_table(stream, (_label_row(roi) for roi in rois), columns)


def _label_row(roi: Roi) -> dict[str, Any]:
    red, green, blue = roi.colour
    row: dict[str, Any] = {
        "LabelValue": roi.number,
        "Name": roi.name,
        "Color_R": red,
        "Color_G": green,
        "Color_B": blue,
        "Color_A": 255,
        "Description": roi.description,
        "ReviewState": roi.review_state.value,
        "Cut": roi.is_cut,
        "Algorithm": roi.algorithm,
        "Segments": segment_names(roi),
    }
    if roi.codes is not None:
        for kind, code in (
            ("Category", roi.codes.category),
            ("Type", roi.codes.type),
            ("TypeModifier", roi.codes.modifier),
            ("Region", roi.codes.region),
        ):
            row |= _code_cells(kind, code)
    return row


def _code_cells(kind: str, code: Code | None) -> dict[str, str]:
    if code is None:
        return {}
    return {
        f"{kind}_CodingScheme": code.scheme,
        f"{kind}_CodeValue": code.value,
        f"{kind}_CodeMeaning": code.meaning,
    }


def segment_names(roi: Roi) -> str:
    """Ids of the segments that the structure is made of."""
    return " + ".join(roi.sources)
