"""The command ``repair``: mends one structure of a segmentation that the Slicer module handed over."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import numpy as np
from TotalSegmentatorWire.command.command_run import CommandRun
from TotalSegmentatorWire.command.terminal import Terminal
from TotalSegmentatorWire.job_folder import create_private_folder
from TotalSegmentatorWire.messages.export import EXPORT_JOB, ExportFinishedEvent, ExportStep
from TotalSegmentatorWire.messages.repair import REPAIR_HEADER, RepairedSegment, RepairHeader, repair_header_to_json

from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorEngine.export.grid.placement import PlacedSegmentation, place
from TotalSegmentatorEngine.export.progress import ExportReporter
from TotalSegmentatorEngine.export.sources.slicer_transfer import (
    read_transferred_segmentation,
    transferred_ct,
    transferred_ct_geometry,
)
from TotalSegmentatorEngine.imaging.mask_pieces import largest_piece
from TotalSegmentatorEngine.imaging.raw_voxels import write_raw
from TotalSegmentatorEngine.job.error_boundary import problem_of
from TotalSegmentatorEngine.repair.arguments import RepairOptions, parse_repair_arguments
from TotalSegmentatorEngine.repair.repairs import repaired

_log = logging.getLogger(__name__)


def main(arguments: list[str]) -> int:
    """Returns the exit status."""
    options = parse_repair_arguments(arguments)
    command_run = CommandRun(EXPORT_JOB, options.files, Terminal(), problem_of)
    reporter = ExportReporter(command_run.emit, command_run.is_cancelled)
    return command_run.run(lambda: _repair(options, reporter))


def _repair(options: RepairOptions, reporter: ExportReporter) -> ExportFinishedEvent:
    started = time.monotonic()
    reporter.progress(ExportStep.READING, 0.0)
    segmentation, header = read_transferred_segmentation(options.transferred)
    placed = place(segmentation, transferred_ct_geometry(header))
    reporter.progress(ExportStep.MEASURING, 0.3)
    changed = repaired(placed, options.order, lambda: transferred_ct(options.transferred, header))
    reporter.progress(ExportStep.WRITING, 0.9)
    folder = create_private_folder(options.output.parent, options.output.name)
    segments = [
        _written(folder, number, segment_id, mask, placed) for number, (segment_id, mask) in enumerate(changed.items())
    ]
    text = repair_header_to_json(RepairHeader(segments))
    (folder / REPAIR_HEADER).write_text(text, encoding="utf-8")
    _log.info("repair %s changed %d segments", options.order.kind, len(segments))
    files = [str((folder / REPAIR_HEADER).absolute())]
    return ExportFinishedEvent(files, len(segments), list(changed), round(time.monotonic() - started, 3))


def _written(
    folder: Path, number: int, segment_id: str, mask: VoxelMask, placed: PlacedSegmentation
) -> RepairedSegment:
    name = f"{number}.raw"
    write_raw(folder / name, [mask.voxels.view(np.uint8)], lambda _share: None)
    segment = next((segment for segment in placed.segments if segment.id == segment_id), None)
    before = (
        placed.mask(segment) if segment is not None else VoxelMask(np.zeros((0, 0, 0), bool), (0, 0, 0), mask.shape)
    )
    added, removed = _difference(mask, before), _difference(before, mask)
    voxel_ml = placed.grid.voxel_ml
    middle = _middle_of_largest(np.concatenate([added, removed]))
    return RepairedSegment(
        id=segment_id,
        file=name,
        shape=[int(size) for size in mask.voxels.shape],
        start=[int(first) for first in mask.start],
        added_ml=round(len(added) * voxel_ml, 3),
        removed_ml=round(len(removed) * voxel_ml, 3),
        place_ras_mm=[round(float(x), 2) for x in (placed.grid.ijk_to_ras @ [*middle[::-1], 1.0])[:3]],
    )


def _middle_of_largest(changed: np.ndarray) -> np.ndarray:
    """Of the indices (n, 3) of changed voxels, the one in the middle of their largest piece: a place at which something
    is to be seen, also where several pieces lie far apart."""
    first = changed.min(axis=0)
    mask = np.zeros(changed.max(axis=0) - first + 1, bool)
    mask[tuple((changed - first).T)] = True
    piece = np.argwhere(largest_piece(mask)) + first
    return piece[np.argmin(np.linalg.norm(piece - piece.mean(axis=0), axis=1))]


def _difference(one: VoxelMask, other: VoxelMask) -> np.ndarray:
    """Indices (n, 3) of the voxels of ``one`` that ``other`` lacks."""
    return np.argwhere(one.voxels & ~other.part(one.start, one.voxels.shape)) + one.start
