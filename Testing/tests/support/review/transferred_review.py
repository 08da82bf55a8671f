"""A segmentation as Slicer's side hands it to a review, and the worker's answer without its process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.worker.request_queue import AcceptedJob
from TotalSegmentatorEngine.worker.second_check import check_again
from TotalSegmentatorWire.messages.export import (
    SEGMENTATION_HEADER,
    ExportFinishedEvent,
    SegmentationHeader,
    TransferredLayer,
    TransferredSegment,
    segmentation_header_to_json,
)
from TotalSegmentatorWire.messages.review import Flag, flags_from_json
from TotalSegmentatorWire.messages.segment import NeedCtEvent, ReviewRequest


def write_transfer(
    folder: Path, labels: np.ndarray, ijk_to_ras: np.ndarray, table: Mapping[str, int], ct: np.ndarray | None = None
) -> Path:
    """In a new folder, as Slicer's side writes it, but for what no review reads. ``labels``: uint8 (k, j, i);
    ``table``: values by name; ``ct``: sent too, where it is given."""
    return write_layers(folder, [labels], ijk_to_ras, {name: (0, label) for name, label in table.items()}, ct)


def write_layers(
    folder: Path,
    layers: Sequence[np.ndarray],
    ijk_to_ras: np.ndarray,
    places: Mapping[str, tuple[int, int]],
    ct: np.ndarray | None = None,
) -> Path:
    """Likewise; ``places``: layer and value there, by name."""
    folder.mkdir()
    shape, matrix = list(layers[0].shape), np.ravel(ijk_to_ras).tolist()
    files = [f"layer-{number}.raw" for number in range(len(layers))]
    for name, labels in zip(files, layers, strict=True):
        labels.tofile(folder / name)
    sent = {}
    if ct is not None:
        ct.tofile(folder / "ct.raw")
        sent = {"ct_voxels": "ct.raw", "ct_dtype": ct.dtype.name}
    segments = [TransferredSegment(name, name, [0, 0, 0], layer, label) for name, (layer, label) in places.items()]
    written = [TransferredLayer(name, shape, "uint8", matrix) for name in files]
    text = segmentation_header_to_json(SegmentationHeader(written, segments, shape, matrix, **sent))
    (folder / SEGMENTATION_HEADER).write_text(text, encoding="utf-8")
    return folder


def arguments(folder: Path, structures: str) -> list[str]:
    """Of the command ``review`` for that folder."""
    return ["--transferred", str(folder), "--structures", structures, "--json", "--output", str(folder / "flags.json")]


def flags_in(folder: Path) -> list[Flag]:
    return flags_from_json((folder / "flags.json").read_text(encoding="utf-8"))


def check(folder: Path, structures: str, cache: EngineCache, ct_id: str) -> ExportFinishedEvent | NeedCtEvent:
    return check_again(AcceptedJob(ReviewRequest("job", str(folder), ct_id, arguments(folder, structures))), cache)
