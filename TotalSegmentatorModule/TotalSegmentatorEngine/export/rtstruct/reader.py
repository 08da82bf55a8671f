"""Reads an RT Structure Set of any maker as masks on the planes of its CT.

All closed contours of a structure on one plane are filled together by the even-odd rule, which serves keyholes, holes
as contours of their own and CLOSEDPLANAR_XOR (PS3.3 C.8.8.6.3) alike. Points and open curves enclose nothing and are
passed over.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError

from TotalSegmentatorEngine.dicom_series.headers import looks_like_dicom
from TotalSegmentatorEngine.export.core.codes import FMA, TISSUE, RoiCodes
from TotalSegmentatorEngine.export.core.roi import GENERATION_ALGORITHMS, ORIGIN_UNKNOWN
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorEngine.export.dicom.object import quiet, stated_code
from TotalSegmentatorEngine.export.dicom.read_structure import ReadStructure, check_origin
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries
from TotalSegmentatorEngine.export.rtstruct.contour_encoding import CLOSED_PLANAR, CLOSED_PLANAR_XOR
from TotalSegmentatorEngine.export.rtstruct.dataset import RT_STRUCTURE_SET_STORAGE
from TotalSegmentatorEngine.export.rtstruct.rasterising import fill_box

if TYPE_CHECKING:
    from pydicom import Dataset

OFF_PLANE_MM = 0.1
"""Largest distance of a contour's points from an image plane. Makers round coordinates to 0.01 mm or 0.1 mm; a contour
that lies further away was drawn on other planes, and to move it to the next one would change its volume."""

_CLOSED = (CLOSED_PLANAR, CLOSED_PLANAR_XOR)
_FEWEST_POINTS = 3

_log = logging.getLogger(__name__)


@dataclass
class _Contours:
    """The closed contours of one structure by plane, each (n, 2) of pixel coordinates (i, j)."""

    by_plane: dict[int, list[np.ndarray]] = field(default_factory=lambda: defaultdict(list))
    off_plane: int = 0


def is_structure_set(path: Path) -> bool:
    """True for a DICOM file that says it is an RT Structure Set."""
    try:
        with _damage_told():
            return looks_like_dicom(path) and _is_structure_set(_read(path, header_only=True))
    except SegmentationError:
        return False


def read_rtstruct(
    path: Path, reference: ReferenceSeries, warn: Callable[[Problem], None] = lambda problem: None
) -> list[ReadStructure]:
    """The structures with at least one voxel, in the file's order.

    ``warn`` gets STRUCTURE_WITHOUT_VOXELS for the others. Raises SegmentationError: SEGMENTATION_UNREADABLE,
    EXPORT_OTHER_PATIENT, EXPORT_OTHER_CT, CONTOURS_OFF_PLANE.
    """
    with _damage_told():
        structures = _structures(path, reference)
    filled = [structure for structure in structures if not structure.mask.is_empty]
    if len(filled) < len(structures):
        warn(Problem("STRUCTURE_WITHOUT_VOXELS", {"count": len(structures) - len(filled)}))
    return filled


def _structures(path: Path, reference: ReferenceSeries) -> list[ReadStructure]:
    dataset = _read(path)
    if not _is_structure_set(dataset):
        raise SegmentationError("SEGMENTATION_UNREADABLE", detail="it is not an RT Structure Set")
    if not dataset.get("StructureSetROISequence") or "ROIContourSequence" not in dataset:
        raise SegmentationError("SEGMENTATION_UNREADABLE", detail="it contains no structures")
    check_origin(dataset, _frames(dataset), _instances(dataset), reference)
    contours = {number: _placed(item, reference) for number, item in _items_by_roi(dataset, "ROIContourSequence")}
    off_plane = sum(found.off_plane for found in contours.values())
    if off_plane:
        raise SegmentationError("CONTOURS_OFF_PLANE", count=off_plane)
    observations = dict(_items_by_roi(dataset, "RTROIObservationsSequence"))
    colours = {number: _colour(item) for number, item in _items_by_roi(dataset, "ROIContourSequence")}
    return [
        ReadStructure(
            number=number,
            name=name,
            colour=colours.get(number),
            interpreted_type=_text(observations.get(number), "RTROIInterpretedType"),
            mask=_mask(contours.get(number, _Contours()), reference),
            algorithm=_algorithm(item),
            origin=_origin(item),
            codes=_codes(observations.get(number)),
        )
        for number, name, item in _named(dataset)
    ]


# -- the file ----------------------------------------------------------------------------------------------------------


def _read(path: Path, header_only: bool = False) -> Dataset:
    import pydicom

    tags = ["SOPClassUID", "Modality"] if header_only else None
    return pydicom.dcmread(path, force=True, specific_tags=tags)


@contextmanager
def _damage_told() -> Iterator[None]:
    """Damage shows while a file is read, and again when a value is looked at, which pydicom decodes then."""
    try:
        with quiet():
            yield
    except SegmentationError:
        raise
    except Exception as error:  # noqa: BLE001 - pydicom raises any kind of exception for damaged bytes
        _log.error("the structure set cannot be read (%s)", type(error).__name__)
        raise SegmentationError("SEGMENTATION_UNREADABLE", detail="it is damaged or not a DICOM file") from None


def _is_structure_set(dataset: Dataset) -> bool:
    return dataset.get("SOPClassUID") == RT_STRUCTURE_SET_STORAGE or dataset.get("Modality") == "RTSTRUCT"


def _named(dataset: Dataset) -> Iterator[tuple[int, str, Dataset]]:
    for item in dataset.get("StructureSetROISequence") or ():
        number = _number(item.get("ROINumber"))
        yield number, _text(item, "ROIName") or str(number), item


def _items_by_roi(dataset: Dataset, sequence: str) -> Iterator[tuple[int, Dataset]]:
    for item in dataset.get(sequence) or ():
        yield _number(item.get("ReferencedROINumber")), item


def _text(item: Dataset | None, keyword: str) -> str:
    return str(item.get(keyword) or "").strip() if item is not None else ""


def _algorithm(item: Dataset) -> str:
    stated = _text(item, "ROIGenerationAlgorithm").upper()
    return stated if stated in GENERATION_ALGORITHMS else ""


def _origin(item: Dataset) -> str:
    stated = _text(item, "ROIGenerationDescription")
    return "" if stated == ORIGIN_UNKNOWN else stated


def _codes(observation: Dataset | None) -> RoiCodes | None:
    """RT ROI Identification Code, PS3.3 C.8.8.8; TISSUE stands for a category that the file does not state."""
    kind = stated_code(observation, "RTROIIdentificationCodeSequence") if observation is not None else None
    if observation is None or kind is None:
        return None
    identification = observation.RTROIIdentificationCodeSequence[0]
    same = stated_code(identification, "EquivalentCodeSequence")
    return RoiCodes(
        category=stated_code(observation, "SegmentedPropertyCategoryCodeSequence") or TISSUE,
        type=kind,
        modifier=stated_code(identification, "SegmentedPropertyTypeModifierCodeSequence"),
        region=stated_code(observation, "AnatomicRegionSequence"),
        fma=same if same is not None and same.scheme == FMA else None,
    )


def _colour(item: Dataset) -> tuple[int, int, int] | None:
    channels = item.get("ROIDisplayColor") or ()
    if isinstance(channels, str) or len(channels) != 3:
        return None
    red, green, blue = (min(255, max(0, int(channel))) for channel in channels)
    return red, green, blue


def _number(value: object) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise SegmentationError("SEGMENTATION_UNREADABLE", detail="a structure has no number") from None


def _frames(dataset: Dataset) -> set[str]:
    """Every frame of reference that the file names."""
    named = {str(dataset.get("FrameOfReferenceUID") or "")}
    for item in dataset.get("ReferencedFrameOfReferenceSequence") or ():
        named.add(str(item.get("FrameOfReferenceUID") or ""))
    for item in dataset.get("StructureSetROISequence") or ():
        named.add(str(item.get("ReferencedFrameOfReferenceUID") or ""))
    return named


def _instances(dataset: Dataset) -> set[str]:
    """SOP Instance UIDs of the images that the file names."""
    return {
        str(image.get("ReferencedSOPInstanceUID") or "")
        for frame in dataset.get("ReferencedFrameOfReferenceSequence") or ()
        for study in frame.get("RTReferencedStudySequence") or ()
        for series in study.get("RTReferencedSeriesSequence") or ()
        for image in series.get("ContourImageSequence") or ()
    }


# -- contours ----------------------------------------------------------------------------------------------------------


def _placed(roi: Dataset, reference: ReferenceSeries) -> _Contours:
    found = _Contours()
    polygons = [points for item in roi.get("ContourSequence") or () if len(points := _polygon(item))]
    if not polygons:
        return found
    pixels, along_normal = reference.pixels_of(np.concatenate(polygons))
    ends = np.cumsum([len(points) for points in polygons])
    planes = reference.plane_distances
    for own, heights in zip(np.split(pixels, ends[:-1]), np.split(along_normal, ends[:-1]), strict=True):
        plane = int(np.abs(planes - heights[0]).argmin())
        if np.abs(heights - planes[plane]).max() > OFF_PLANE_MM:
            found.off_plane += 1
        else:
            found.by_plane[plane].append(own)
    return found


def _polygon(item: Dataset) -> np.ndarray:
    """The points of a contour (n, 3) that encloses an area; of another one none."""
    if str(item.get("ContourGeometricType") or CLOSED_PLANAR) not in _CLOSED:
        return np.zeros((0, 3))
    points = _points(item)
    return points if len(points) >= _FEWEST_POINTS else points[:0]


def _points(item: Dataset) -> np.ndarray:
    """LPS in mm, (n, 3). Parsed from the bytes: pydicom would make an object of each of millions of numbers."""
    if "ContourData" not in item:
        return np.zeros((0, 3))
    value = item.get_item("ContourData").value
    try:
        numbers = np.array(value.split(b"\\") if isinstance(value, bytes) else value, dtype=np.float64)
        points = numbers.reshape(-1, 3)
    except ValueError:
        raise SegmentationError("SEGMENTATION_UNREADABLE", detail="a contour's coordinates are damaged") from None
    if not np.isfinite(points).all():
        raise SegmentationError("SEGMENTATION_UNREADABLE", detail="a contour's coordinates are damaged")
    return points


def _mask(contours: _Contours, reference: ReferenceSeries) -> VoxelMask:
    """The pixels whose centres the contours enclose."""
    shape = reference.grid.shape
    filled = {plane: fill_box(polygons, shape[1:]) for plane, polygons in contours.by_plane.items()}
    filled = {plane: (inside, box) for plane, (inside, box) in filled.items() if inside.any()}
    if not filled:
        return VoxelMask(np.zeros((0, 0, 0), bool), (0, 0, 0), shape)
    first = (min(filled), *(min(box[axis].start for _, box in filled.values()) for axis in range(2)))
    end = (max(filled) + 1, *(max(box[axis].stop for _, box in filled.values()) for axis in range(2)))
    voxels = np.zeros(np.subtract(end, first), dtype=bool)
    for plane, (inside, (rows, columns)) in filled.items():
        place = (
            slice(rows.start - first[1], rows.stop - first[1]),
            slice(columns.start - first[2], columns.stop - first[2]),
        )
        voxels[plane - first[0]][place] = inside
    return VoxelMask.cropped(voxels, first, shape)
