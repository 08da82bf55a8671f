"""The result of a job as files: written in the job's folder, then renamed into ``results``."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
from TotalSegmentatorWire import ENGINE_VERSION
from TotalSegmentatorWire.job_folder import (
    OWNER_FILE,
    RESULT_DRAFT,
    RESULT_HEADER,
    RESULT_LABELS,
    create_private_folder,
    remove_folder,
)
from TotalSegmentatorWire.messages.segment import CtHeader, ResultHeader, header_to_json

from TotalSegmentatorEngine.imaging.atomic_file import check_disk_space
from TotalSegmentatorEngine.job.task import SegmentationResult

_CHUNK_BYTES = 8 << 20
_RENAME_ATTEMPTS = 20


def result_header(job_id: str, ct: CtHeader, result: SegmentationResult) -> ResultHeader:
    """What result.json says: the answer's structures and the grid and series of the CT that it belongs to."""
    found = {structure.label for structure in result.found}
    return ResultHeader(
        job_id=job_id,
        ct_id=ct.ct_id,
        shape=list(ct.shape),
        ijk_to_ras=list(ct.ijk_to_ras),
        series_instance_uid=ct.series_instance_uid,
        found=result.found,
        absent=result.absent,
        model=result.model,
        profile=result.profile,
        engine_version=ENGINE_VERSION,
        device=result.device,
        seconds=round(result.seconds, 3),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        options=result.options.to_json(),
        structures=[dataclasses.asdict(row) for row in result.structures if row.label in found],
    )


def write_draft(
    job_folder: Path, header: ResultHeader, labels: np.ndarray, check_cancelled: Callable[[], None]
) -> Path:
    """Write labels.raw (uint8, C order, k j i) and result.json into the job's folder; returns the draft's folder.

    Raises SegmentationError: DISK_FULL before anything is written, CANCELLED in between; the draft is gone then.
    """
    check_disk_space(job_folder, labels.nbytes)
    draft = create_private_folder(job_folder, RESULT_DRAFT)
    try:
        shutil.copyfile(job_folder / OWNER_FILE, draft / OWNER_FILE)
        data = memoryview(np.ascontiguousarray(labels)).cast("B")
        with (draft / RESULT_LABELS).open("wb", buffering=0) as stream:
            for start in range(0, len(data), _CHUNK_BYTES):
                check_cancelled()
                stream.write(data[start : start + _CHUNK_BYTES])
        (draft / RESULT_HEADER).write_text(header_to_json(header), encoding="utf-8")
    except BaseException:
        remove_folder(draft)
        raise
    return draft


def publish(draft: Path, results_folder: Path, job_id: str, guard: AbstractContextManager) -> Path:
    """Rename the finished draft to ``results_folder/job_id``, all or nothing; ``guard`` is held meanwhile."""
    if not results_folder.is_dir():
        create_private_folder(results_folder.parent, results_folder.name)
    with guard:
        for _ in range(_RENAME_ATTEMPTS - 1):
            try:
                return draft.rename(results_folder / job_id)
            except PermissionError:  # Windows: a virus scanner looks at the new files for a moment
                time.sleep(0.1)
        return draft.rename(results_folder / job_id)
