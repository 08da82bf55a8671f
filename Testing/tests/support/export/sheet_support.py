"""A reviewed result to make a sheet of, and readers of sheets that share no code with the program."""

from __future__ import annotations

import base64
import io
import json
import re
import zlib
from collections.abc import Callable, Mapping
from html import unescape
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image
from scipy.ndimage import binary_erosion
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.imaging.label_files import FileSegment, write_nrrd
from TotalSegmentatorEngine.imaging.voxel_digest import voxel_digest
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.tables.result_tags import provenance_tags
from TotalSegmentatorWire.tables.review_state import VOXEL_DIGEST_TAG, ReviewState, review_tags
from TotalSegmentatorWire.tables.structures import structure_table

GREY = (128, 128, 128)
NAMES = {row.label: row.name for row in structure_table("structures_104")}
SECONDS = 83.25


def write_result(
    path: Path,
    labels: np.ndarray,
    grid: Geometry,
    computed: np.ndarray | None = None,
    states: Mapping[str, ReviewState] | None = None,
    colours: Mapping[str, tuple[int, int, int]] | None = None,
    more_tags: Callable[[str], dict[str, str]] = lambda name: {},
    names: Mapping[int, str] = NAMES,
) -> Path:
    """A .seg.nrrd with the structures of ``labels``, tagged as results of a model are; the digests are those of
    ``computed``, by default of the same voxels."""
    segments = []
    for label in np.unique(labels)[1:].tolist():
        name = names[label]
        made = VoxelMask.cropped((labels if computed is None else computed) == label)
        how = provenance_tags("104-3mm", "nnunet", "0.1.0", JobOptions().to_json(), seconds=SECONDS, device="cpu")
        tags = {VOXEL_DIGEST_TAG: voxel_digest(made.voxels, made.start, grid), **how}
        tags |= review_tags((states or {}).get(name, ReviewState.UNREVIEWED)) | more_tags(name)
        colour = (colours or {}).get(name, GREY)
        segments.append(FileSegment(name, name.replace("_", " "), colour, label, (0,) * 6, 0, tags=tags))
    with path.open("wb") as stream:
        write_nrrd(stream, [labels], grid, segments)
    return path


def identifiers_of(series: Path) -> set[str]:
    """Every name, number, date, time and UID of a DICOM series that could lead to its patient, and their parts."""
    found: set[str] = set()
    for path in series.iterdir():
        for element in pydicom.dcmread(path, stop_before_pixels=True):
            value = str(element.value).strip()
            if element.VR == "UI" and "SOPClass" not in element.keyword:
                found.add(value)
            elif element.VR in ("PN", "DA", "TM", "DT", "AS") or element.keyword in _TEXTS:
                found.update((value, *re.split(r"[\^ ]", value)))
    return {each for each in found if len(each) > 2}


_TEXTS = ("PatientID", "AccessionNumber", "InstitutionName", "StudyDescription", "SeriesDescription", "StudyID")


def pdf_texts(path: Path) -> list[str]:
    """Of each page, in the order in which it is written: the strings that the page's stream shows."""
    pages = []
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", path.read_bytes(), re.DOTALL):
        content = _inflated(stream)
        if content is not None and b" Tj" in content:
            shown = re.findall(rb"\(((?:\\.|[^\\)])*)\) Tj", content)
            pages.append("\n".join(re.sub(rb"\\(.)", rb"\1", text).decode("cp1252") for text in shown))
    return pages


def _inflated(stream: bytes) -> bytes | None:
    try:
        return zlib.decompress(base64.a85decode(b"<~" + stream.strip(), adobe=True))
    except (ValueError, zlib.error):
        return None


def html_text(path: Path) -> str:
    """Without pictures and tags."""
    text = re.sub(r'src="data:[^"]*"', "", path.read_text(encoding="utf-8"))
    return unescape(re.sub(r"<[^>]*>", "\n", text))


def html_pictures(path: Path) -> list[np.ndarray]:
    """In the order of the page: coronal, sagittal, three axial ones, then those of remarks."""
    found = re.findall(r'src="data:image/jpeg;base64,([^"]*)"', path.read_text(encoding="utf-8"))
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(each)))).astype(int) for each in found]


def centre_of_colour(picture: np.ndarray, channel: int) -> tuple[float, float] | None:
    """Row and column, 0..1 of the picture, of the pixels in which red (0), green (1) or blue (2) prevails; None where
    there are hardly any."""
    others = np.delete(picture, channel, axis=2).max(axis=2)
    rows, columns = np.nonzero(picture[..., channel] - others > 50)
    return (rows.mean() / picture.shape[0], columns.mean() / picture.shape[1]) if rows.size > 20 else None


def data_of(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def added_path_mm(final: np.ndarray, automatic: np.ndarray, pixel_mm: float) -> float:
    """bool (slice, row, column): pixels of the final contour that are none of the automatic one, times their size."""
    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], bool)
    contours = [
        [plane & ~binary_erosion(plane, cross, border_value=0) for plane in each] for each in (final, automatic)
    ]
    return pixel_mm * sum(int((one & ~other).sum()) for one, other in zip(*contours, strict=True))
