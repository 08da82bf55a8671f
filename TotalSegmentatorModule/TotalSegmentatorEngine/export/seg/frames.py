"""The frames of a DICOM SEG: pixels as the standard packs them, and what each frame says about itself.

One frame is one structure on one plane of the CT (binary), or all structures on one plane (label map); planes without
a voxel have no frame. Pixels go to a stream as they are made, so that a hundred structures of a large CT, a gigabyte
of frames, are never in memory together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from TotalSegmentatorEngine.export.core.label_volume import Progress
from TotalSegmentatorEngine.export.core.roi import Roi
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorEngine.export.dicom.reference_series import Plane, ReferenceSeries

if TYPE_CHECKING:
    from pydicom import Dataset

Frame = tuple[int | None, int]
"""Segment number (None in a label map, whose frames hold them all) and plane of the CT."""


# -- pixels ------------------------------------------------------------------------------------------------------------


class BitPacker:
    """Writes frames of one bit a pixel one after the other, the first pixel in the lowest bit, PS3.5 8.1.1.

    Frames follow each other without a gap: where a frame is no whole number of bytes, the next begins inside a byte.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.length = 0
        """Bytes written so far."""
        self._stream = stream
        self._rest = np.zeros(0, dtype=bool)

    def add(self, pixels: np.ndarray) -> None:
        """``pixels``: bool, flat."""
        bits = np.concatenate([self._rest, pixels]) if self._rest.size else pixels
        whole = bits.size - bits.size % 8
        self._write(np.packbits(bits[:whole], bitorder="little").tobytes())
        self._rest = bits[whole:]

    def finish(self) -> None:
        """Writes the last bits and, as values have an even length, one more byte where needed."""
        self._write(np.packbits(self._rest, bitorder="little").tobytes())
        self._rest = self._rest[:0]
        if self.length % 2:
            self._write(b"\0")

    def _write(self, data: bytes) -> None:
        self._stream.write(data)
        self.length += len(data)


def write_binary_frames(
    stream: BinaryIO, rois: Sequence[Roi], reference: ReferenceSeries, progress: Progress
) -> tuple[list[Frame], bool]:
    """Writes the pixels of all structures; returns their frames in order and whether any two structures overlap."""
    packer = BitPacker(stream)
    frames: list[Frame] = []
    seen: dict[int, np.ndarray] = {}
    is_overlapping = False
    for index, roi in enumerate(rois):
        progress(index, roi)
        for k, pixels in _planes(roi.voxels(), reference):
            packer.add(pixels)
            frames.append((roi.number, k))
            packed = np.packbits(pixels)
            if k not in seen:
                seen[k] = packed
            elif not is_overlapping:
                is_overlapping = bool((seen[k] & packed).any())
                seen[k] |= packed
    packer.finish()
    return frames, is_overlapping


def _planes(mask: VoxelMask, reference: ReferenceSeries) -> Iterator[tuple[int, np.ndarray]]:
    """The planes that hold voxels, each with its whole image as a flat bool array."""
    _planes_of_box, rows, columns = mask.box
    for k in range(mask.start[0], mask.start[0] + mask.voxels.shape[0]):
        plane = mask.plane(k)
        if plane is not None:
            image = np.zeros((reference.rows, reference.columns), dtype=bool)
            image[rows, columns] = plane
            yield k, image.ravel()


def write_label_frames(stream: BinaryIO, labels: np.ndarray) -> list[Frame]:
    """Writes the planes of a label image (k, j, i; uint8 or uint16) that hold a label; returns their frames."""
    frames: list[Frame] = []
    for k, plane in enumerate(labels):
        if plane.any():
            stream.write(plane.astype(plane.dtype.newbyteorder("<"), copy=False).tobytes())
            frames.append((None, k))
    if stream.tell() % 2:
        stream.write(b"\0")
    return frames


# -- functional groups -------------------------------------------------------------------------------------------------


def functional_groups(frames: Sequence[Frame], reference: ReferenceSeries) -> list[Dataset]:
    """Items of the Per-frame Functional Groups Sequence, PS3.3 C.7.6.16 and C.8.20.3.

    Each names its segment, its plane's position and the image of the CT that it was made on, pixel for pixel. A
    dimension's index is the rank among the values that occur, from 1.
    """
    from pydicom import Dataset

    ranks = {k: rank for rank, k in enumerate(sorted({k for _, k in frames}), start=1)}
    shared = {k: _plane_groups(reference.planes[k]) for k in ranks}
    items = []
    for segment, k in frames:
        content, item = Dataset(), Dataset()
        content.DimensionIndexValues = [ranks[k]] if segment is None else [segment, ranks[k]]
        item.FrameContentSequence = [content]
        if segment is not None:
            identification = Dataset()
            identification.ReferencedSegmentNumber = segment
            item.SegmentIdentificationSequence = [identification]
        for element in shared[k]:
            item.add(element)
        items.append(item)
    return items


def _plane_groups(plane: Plane) -> Dataset:
    """Plane Position and Derivation Image; the same objects for all frames of a plane, since thousands have them."""
    from highdicom import PlanePositionSequence
    from highdicom.sr.coding import CodedConcept
    from pydicom import Dataset
    from pydicom.sr.codedict import codes

    source, derivation, groups = Dataset(), Dataset(), Dataset()
    source.ReferencedSOPClassUID = plane.sop_class_uid
    source.ReferencedSOPInstanceUID = plane.sop_instance_uid
    if plane.frame_number is not None:
        source.ReferencedFrameNumber = plane.frame_number
    source.SpatialLocationsPreserved = "YES"
    purpose = codes.cid7202.SourceImageForImageProcessingOperation
    source.PurposeOfReferenceCodeSequence = [CodedConcept.from_code(purpose)]
    derivation.SourceImageSequence = [source]
    derivation.DerivationCodeSequence = [CodedConcept.from_code(codes.cid7203.SegmentationImageDerivation)]
    groups.DerivationImageSequence = [derivation]
    groups.PlanePositionSequence = PlanePositionSequence("PATIENT", list(plane.position))
    return groups
