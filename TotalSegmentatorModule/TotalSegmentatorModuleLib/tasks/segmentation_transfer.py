"""Hands a segmentation over to an export: raw layers in small steps, then the header that says what they mean."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import slicer
from TotalSegmentatorWire.disk_space import disk_full, is_disk_full, require_space
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.export import (
    SEGMENTATION_HEADER,
    SegmentationHeader,
    TransferredLayer,
    TransferredSegment,
    segmentation_header_to_json,
)

from TotalSegmentatorModuleLib.background.raw_file import RawFile
from TotalSegmentatorModuleLib.scene.computed_structures import computed_text
from TotalSegmentatorModuleLib.scene.ct_source import VolumeCtSource
from TotalSegmentatorModuleLib.scene.output_segmentation import change_stamp
from TotalSegmentatorModuleLib.scene.review_tags import segment_tags
from TotalSegmentatorModuleLib.scene.transforms import segmentation_to_ct
from TotalSegmentatorModuleLib.scene.volumes import ijk_to_ras, patient_identifiers
from TotalSegmentatorModuleLib.tasks.label_layers import ExportLayers

_CT_FILE = "ct.raw"
_COMPUTED_FILE = "computed.json"
_SPARE_BYTES = 64 << 20


@dataclass(frozen=True)
class CtIdentity:
    """The CT of an export in DICOM; empty where it did not come from there."""

    instance_uids: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    sends_voxels: bool = False
    """Whether the volume itself goes out, too."""
    made_on_id: str = ""
    """Node ID of the volume on which the segmentation was made, if it is another one under the same transform."""
    sends_computed: bool = False
    """For a review sheet: whether what the model computed goes out, too, as far as it was kept, and what must not be
    printed of the patient."""


class SegmentationTransfer:
    """Writes the layers of the segments ``segment_ids`` into a folder; begun again whenever they change meanwhile.

    ``step`` is called until it says True. The nodes are held by their ids alone: the user may remove them at any time.
    """

    def __init__(
        self,
        node,
        segment_ids: tuple[str, ...],
        ct,
        identity: CtIdentity,
        folder: Path,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._node_id: str = node.GetID()
        self._segment_ids = segment_ids
        self._ct = VolumeCtSource(ct)
        self._identity = identity
        self._folder = folder
        self._clock = clock
        self._stamp: Hashable = None
        self._layers: ExportLayers | None = None
        self._waiting: list[str] = []
        self._file: RawFile | None = None
        self._bytes = self._bytes_before = 0
        self._computed = ""

    @property
    def segment_ids(self) -> list[str]:
        """What goes out: those of the segments that are still there."""
        return list(self._layers.segment_ids) if self._layers is not None else []

    @property
    def fraction(self) -> float:
        """0..1 of the voxels written."""
        position = self._bytes_before + (self._file.position if self._file is not None else 0)
        return min(position / self._bytes, 1.0) if self._bytes else 0.0

    def step(self, seconds: float) -> bool:
        """Write for about ``seconds``, or convert one segment that has no voxels yet; True when all is complete.

        Raises SegmentationError: EXPORT_INPUT_REMOVED, EXPORT_NOTHING_CHOSEN (all segments are gone),
        EXPORT_NONLINEAR_TRANSFORM, DISK_FULL; OSError.
        """
        deadline = self._clock() + seconds
        try:
            if self._stamp is None or self._stamp != self._present_stamp():
                self._begin()
            if not self._layers.is_complete:
                self._layers.convert_next()
                if self._layers.is_complete:
                    self._begin_files()
                return False
            return self._write_until(deadline)
        except OSError as error:
            self.close()
            if not is_disk_full(error):
                raise
            raise disk_full(self._folder, self._bytes) from error

    def close(self) -> None:
        """Let go of the file; what is written stays."""
        if self._file is not None:
            self._file.close()
            self._file = None

    # -- inside --------------------------------------------------------------------------------------------------------

    def _nodes(self) -> tuple:
        node, ct = slicer.mrmlScene.GetNodeByID(self._node_id), self._ct.node
        if node is None or ct is None or ct.GetImageData() is None:
            raise SegmentationError("EXPORT_INPUT_REMOVED")
        return node, ct

    def _present_stamp(self) -> Hashable:
        node, ct = self._nodes()
        return (change_stamp(node), self._ct.change_stamp(), tuple(segmentation_to_ct(node, ct).ravel().tolist()))

    def _begin(self) -> None:
        self.close()
        node, ct = self._nodes()
        self._stamp = self._present_stamp()
        self._layers = ExportLayers(node, self._segment_ids, ct)
        if not self._layers.segment_ids:
            raise SegmentationError("EXPORT_NOTHING_CHOSEN")
        if self._layers.is_complete:
            self._begin_files()

    def _begin_files(self) -> None:
        self._bytes_before = 0
        self._waiting = [_layer_file(index) for index in range(self._layers.count)]
        self._bytes = sum(self._layers.array(index).nbytes for index in range(self._layers.count))
        if self._identity.sends_voxels:
            self._waiting.append(_CT_FILE)
            self._bytes += self._ct.array.nbytes
        require_space(self._folder, self._bytes + _SPARE_BYTES)

    def _write_until(self, deadline: float) -> bool:
        while self._waiting:
            name = self._waiting[0]
            if self._file is None:
                self._file = RawFile(self._folder / name, self._clock)
            if not self._file.write(self._array_of(name), deadline):
                return False
            self._bytes_before += self._file.position
            self.close()
            self._waiting.pop(0)
            if self._waiting and self._clock() >= deadline:
                return False
        text = segmentation_header_to_json(self._header())
        (self._folder / SEGMENTATION_HEADER).write_text(text, encoding="utf-8")
        if self._computed:
            (self._folder / _COMPUTED_FILE).write_text(self._computed, encoding="utf-8")
        return True

    def _array_of(self, name: str) -> np.ndarray:
        if name == _CT_FILE:
            return self._ct.array
        return self._layers.array(int(name.split(".")[0].split("-")[1]))

    def _header(self) -> SegmentationHeader:
        node, ct = self._nodes()
        to_ct = segmentation_to_ct(node, ct)
        array = self._ct.array
        sends_voxels = self._identity.sends_voxels
        made_on_shape, made_on_ijk_to_ras = self._made_on()
        self._computed = computed_text(node) if self._identity.sends_computed else ""
        return SegmentationHeader(
            layers=[_layer(self._layers, index, to_ct) for index in range(self._layers.count)],
            segments=[_segment(node, self._layers, each) for each in self._layers.segment_ids],
            ct_shape=[int(size) for size in array.shape],
            ct_ijk_to_ras=[float(number) for number in self._ct.ijk_to_ras.ravel()],
            made_on_shape=made_on_shape,
            made_on_ijk_to_ras=made_on_ijk_to_ras,
            ct_instance_uids=list(self._identity.instance_uids),
            ct_files=list(self._identity.files),
            ct_voxels=_CT_FILE if sends_voxels else "",
            ct_dtype=array.dtype.name if sends_voxels else "",
            is_part=len(self._layers.segment_ids) < node.GetSegmentation().GetNumberOfSegments(),
            computed=_COMPUTED_FILE if self._computed else "",
            identifiers=self._identifiers(node, ct),
            segmentation_to_ct=[float(number) for number in to_ct.ravel()],
        )

    def _identifiers(self, node, ct) -> list[str]:
        if not self._identity.sends_computed:
            return []
        return sorted({*patient_identifiers(node), *patient_identifiers(ct)})

    def _made_on(self) -> tuple[list[int], list[float]]:
        volume = slicer.mrmlScene.GetNodeByID(self._identity.made_on_id) if self._identity.made_on_id else None
        if volume is None or volume.GetImageData() is None:
            return [], []
        shape = reversed(volume.GetImageData().GetDimensions())
        return list(shape), [float(number) for number in ijk_to_ras(volume).ravel()]


def _layer_file(index: int) -> str:
    return "layer-{}.raw".format(index)


def _layer(layers: ExportLayers, index: int, to_ct: np.ndarray) -> TransferredLayer:
    array = layers.array(index)
    matrix = to_ct @ layers.ijk_to_segmentation(index)
    return TransferredLayer(
        file=_layer_file(index),
        shape=[int(size) for size in array.shape],
        dtype=array.dtype.name,
        ijk_to_ras=[float(number) for number in matrix.ravel()],
    )


def _segment(node, layers: ExportLayers, segment_id: str) -> TransferredSegment:
    segment = node.GetSegmentation().GetSegment(segment_id)
    return TransferredSegment(
        id=segment_id,
        name=segment.GetName() or segment_id,
        colour=[round(channel * 255) for channel in segment.GetColor()],
        layer=layers.layer_of(segment_id),
        label=layers.label_of(segment_id),
        tags=segment_tags(segment),
    )
