"""Finished results: reading one into memory in small steps, listing and removing unimported ones."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from TotalSegmentatorWire.job_folder import RESULT_COMPUTED, RESULT_HEADER, RESULT_LABELS, read_owner, results_folder
from TotalSegmentatorWire.messages.segment import ResultHeader, result_header_from_json
from TotalSegmentatorWire.process_identity import is_alive, this_process

_CHUNK_BYTES = 2 << 20


class DamagedResultError(Exception):
    """The files of a result are missing or do not fit each other."""


def read_result_header(folder: Path) -> ResultHeader:
    """The header of the result in ``folder``. Raises DamagedResultError."""
    try:
        header = result_header_from_json((folder / RESULT_HEADER).read_text(encoding="utf-8"))
        size = (folder / RESULT_LABELS).stat().st_size
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedResultError(type(error).__name__) from error
    if len(header.shape) != 3 or header.layers < 1 or size != int(np.prod(header.shape)) * header.layers:
        raise DamagedResultError("size")
    if not all(0 <= found.layer < header.layers for found in header.found):
        raise DamagedResultError("layer")
    return header


def read_computed(folder: Path) -> str:
    """The packed structures of the result in ``folder``; empty where they cannot be read, as in one of an older
    version: the result is none the worse."""
    try:
        return (folder / RESULT_COMPUTED).read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        logging.info("The structures as computed are not kept: %s", type(error).__name__)
        return ""


def unimported_results(work_folder: Path) -> list[ResultHeader]:
    """Results that were never imported or declined, oldest first; not those of another Slicer that is running, nor
    previews of others."""
    unimported = []
    folder = results_folder(work_folder)
    for entry in sorted(folder.iterdir()) if folder.is_dir() else []:
        owner = read_owner(entry)
        if owner is not None and owner != this_process() and is_alive(owner):
            continue
        try:
            header = read_result_header(entry)
        except DamagedResultError:
            continue  # swept when it is old
        if header.job_id == entry.name:
            unimported.append(header)
    finished = {header.job_id for header in unimported}
    unimported = [header for header in unimported if header.preview_of not in finished]
    return sorted(unimported, key=lambda header: header.created)


def read_labels(folder: Path, header: ResultHeader, layers: Sequence[np.ndarray], seconds: float) -> Iterator[float]:
    """Read the labels of a result into ``layers``, as many as it has (each uint8, C-contiguous, of the header's shape),
    for about ``seconds`` between two values: 0..1 of what is read so far. Raises DamagedResultError."""
    if len(layers) != header.layers or not all(_takes_labels(labels, header) for labels in layers):
        raise TypeError("labels are read into C-contiguous uint8 arrays of the result's shape, one for each layer")
    targets = [memoryview(labels).cast("B") for labels in layers]
    total, done = sum(map(len, targets)), 0
    try:
        with (folder / RESULT_LABELS).open("rb", buffering=0) as stream:
            deadline = 0.0
            for target in targets:
                position = 0
                while position < len(target):
                    if time.monotonic() >= deadline:
                        yield done / total
                        deadline = time.monotonic() + seconds
                    count = stream.readinto(target[position : position + _CHUNK_BYTES])
                    if not count:
                        raise DamagedResultError("short")
                    position, done = position + count, done + count
    except OSError as error:
        raise DamagedResultError(type(error).__name__) from error


def _takes_labels(labels: np.ndarray, header: ResultHeader) -> bool:
    return labels.dtype == np.uint8 and labels.shape == tuple(header.shape) and labels.flags.c_contiguous
