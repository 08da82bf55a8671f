"""A worker's job as files: the CT in the job's folder or from the job before, the result in ``results``."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
from TotalSegmentatorWire import ENGINE_VERSION
from TotalSegmentatorWire.job_folder import (
    CT_HEADER,
    CT_VOXELS,
    OWNER_FILE,
    RESULT_COMPUTED,
    RESULT_DRAFT,
    RESULT_HEADER,
    RESULT_LABELS,
    create_private_folder,
    new_id,
    remove_folder,
)
from TotalSegmentatorWire.messages.computed import ComputedStructures, computed_to_json
from TotalSegmentatorWire.messages.segment import (
    CtHeader,
    ResultHeader,
    SegmentRequest,
    Stage,
    ct_header_from_json,
    header_to_json,
)
from TotalSegmentatorWire.retry import retry_while_locked
from TotalSegmentatorWire.tables.review_rules import flags_to_object

from TotalSegmentatorEngine.ct_input.reading import ReadInput, read_transferred
from TotalSegmentatorEngine.imaging.atomic_file import check_disk_space
from TotalSegmentatorEngine.imaging.computed_structures import computed_structures
from TotalSegmentatorEngine.imaging.raw_voxels import write_raw
from TotalSegmentatorEngine.job.reporting import PREVIEW_CHECKED_SHARE, Reporter
from TotalSegmentatorEngine.job.task import SegmentationResult
from TotalSegmentatorEngine.pipeline.cache import EngineCache


class CtNeededError(Exception):
    """Slicer did not send the CT, and this worker does not have it."""


class WorkerJobFiles:
    """The files of one request. ``guard`` is held while the result is renamed out of the job's folder.

    The CT stays in ``cache``, so that the next job on it needs none.
    """

    def __init__(self, request: SegmentRequest, cache: EngineCache, guard: AbstractContextManager) -> None:
        self._request = request
        self._cache = cache
        self._guard = guard
        self._folder = Path(request.job_folder)
        self._header: CtHeader | None = None
        self.result_folder: Path | None = None
        """Where ``write`` has put the result."""

    def read(self, reporter: Reporter) -> ReadInput:
        """The CT that Slicer sent, else the last one. Raises CtNeededError, or SegmentationError."""
        self._header = ct_header_from_json((self._folder / CT_HEADER).read_text(encoding="utf-8"))
        if not self._request.ct_is_cached:
            return self._read_sent(self._header, reporter)
        held = self._cache.ct(self._request.ct_id)
        if held is None:
            raise CtNeededError
        return held

    def _read_sent(self, header: CtHeader, reporter: Reporter) -> ReadInput:
        reporter.progress(Stage.READING, 0.0)
        self._cache.forget_ct()  # the memory of the last CT is free before the next one is read
        ct = read_transferred(self._folder, header, reporter.check_cancelled)
        self._cache.remember_ct(header.ct_id, ct)
        (self._folder / CT_VOXELS).unlink()
        return ct

    def write(self, result: SegmentationResult, ct: ReadInput, reporter: Reporter) -> None:
        """Writes the result's folder. Raises SegmentationError: DISK_FULL, CANCELLED."""
        header = result_header(self._request.job_id, self._header, result)
        self.result_folder = self._published(header, result, ct, reporter, Stage.WRITING)

    def write_preview(self, result: SegmentationResult, ct: ReadInput, reporter: Reporter) -> Path:
        """As ``write``, under an id of its own; returns the folder."""
        header = result_header(new_id(), self._header, result)
        header = dataclasses.replace(header, preview_of=self._request.job_id)
        return self._published(header, result, ct, reporter, Stage.PREVIEWING, PREVIEW_CHECKED_SHARE)

    def _published(
        self,
        header: ResultHeader,
        result: SegmentationResult,
        ct: ReadInput,
        reporter: Reporter,
        stage: str,
        done: float = 0.0,
    ) -> Path:
        """``done``: of the stage, before anything is written."""
        computed = computed_structures(result.found, result.layers, ct.volume.geometry, reporter.check_cancelled)

        def on_piece(share: float) -> None:
            reporter.check_cancelled()
            reporter.progress(stage, done + (1.0 - done) * share)

        draft = write_draft(self._folder, header, result.layers, computed, on_piece)
        try:
            return publish(draft, Path(self._request.results_folder), header.job_id, self._guard)
        except BaseException:
            remove_folder(draft)
            raise


def result_header(job_id: str, ct: CtHeader, result: SegmentationResult) -> ResultHeader:
    """The content of result.json: the structures found, and the CT's grid and series."""
    found = {structure.name for structure in result.found}
    return ResultHeader(
        job_id=job_id,
        ct_id=ct.ct_id,
        shape=list(ct.shape),
        ijk_to_ras=list(ct.ijk_to_ras),
        series_instance_uid=ct.series_instance_uid,
        found=result.found,
        absent=result.absent,
        models=result.models,
        profiles=result.profiles,
        engine_version=ENGINE_VERSION,
        device=result.device,
        seconds=round(result.seconds, 3),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        options=result.options.to_json(),
        structures=[dataclasses.asdict(row) for row in result.structures if row.name in found],
        review=None if result.flags is None else flags_to_object(result.flags),
        layers=len(result.layers),
        agreement=None if result.agreement is None else result.agreement.to_json(),
    )


def write_draft(
    job_folder: Path,
    header: ResultHeader,
    layers: Sequence[np.ndarray],
    computed: ComputedStructures,
    on_piece: Callable[[float], None],
) -> Path:
    """Write labels.raw (one layer after the other, each uint8, C order, k j i), computed.json and result.json into the
    job's folder; returns the draft's folder.

    ``on_piece`` as for ``write_raw``. Raises SegmentationError: DISK_FULL before anything is written, CANCELLED in
    between; the draft is gone then.
    """
    check_disk_space(job_folder, sum(labels.nbytes for labels in layers))
    draft = _new_draft(job_folder)
    try:
        shutil.copyfile(job_folder / OWNER_FILE, draft / OWNER_FILE)
        write_raw(draft / RESULT_LABELS, layers, on_piece)
        (draft / RESULT_COMPUTED).write_text(computed_to_json(computed), encoding="ascii")
        (draft / RESULT_HEADER).write_text(header_to_json(header), encoding="utf-8")
    except BaseException:
        remove_folder(draft)
        raise
    return draft


def _new_draft(job_folder: Path) -> Path:
    """Empty. A preview's may still be there: what another program holds open can be neither renamed nor removed."""
    left = job_folder / RESULT_DRAFT
    is_free = not left.exists() or remove_folder(left)
    return create_private_folder(job_folder, RESULT_DRAFT if is_free else f"{RESULT_DRAFT}-{new_id()}")


def publish(draft: Path, results_folder: Path, job_id: str, guard: AbstractContextManager) -> Path:
    """Rename the finished draft to ``results_folder/job_id``, all or nothing; ``guard`` is held meanwhile.

    Raises SegmentationError("FILE_LOCKED"), OSError.
    """
    if not results_folder.is_dir():
        create_private_folder(results_folder.parent, results_folder.name)
    with guard:
        return retry_while_locked(lambda: draft.rename(results_folder / job_id))
