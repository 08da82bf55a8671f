"""Has a job's background process review again what a job has made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from job_support import Application, FakeCt
from TotalSegmentatorWire.job_folder import create_owned_folder, new_id, remove_folder
from TotalSegmentatorWire.messages.export import (
    SEGMENTATION_HEADER,
    ExportFinishedEvent,
    SegmentationHeader,
    TransferredLayer,
    TransferredSegment,
    segmentation_header_to_json,
)
from TotalSegmentatorWire.messages.review import Flag, flags_from_json
from TotalSegmentatorWire.messages.segment import ResultHeader, ReviewRequest


def review_again(
    application: Application, ct: FakeCt, header: ResultHeader, labels: np.ndarray, structures: Sequence[str]
) -> list[Flag]:
    """The flags of ``structures`` in ``labels`` (uint8, (k, j, i) of the CT that the process holds), named as in
    ``header``."""
    folder = create_owned_folder(application.work_folder / "jobs", new_id())
    try:
        labels.tofile(folder / "layer-0.raw")
        layer = TransferredLayer("layer-0.raw", header.shape, "uint8", header.ijk_to_ras)
        segments = [TransferredSegment(each.name, each.name, [0, 0, 0], 0, each.label) for each in header.found]
        transferred = SegmentationHeader([layer], segments, header.shape, header.ijk_to_ras)
        (folder / SEGMENTATION_HEADER).write_text(segmentation_header_to_json(transferred), encoding="utf-8")
        lease = application.manager.lease(ct)
        words = ["--transferred", str(folder), "--structures", ",".join(structures)]
        words += ["--output", str(folder / "flags.json")]
        lease.worker.send(ReviewRequest(folder.name, str(folder), lease.ct_id, words))
        application.run_until(
            lambda: (
                (folder / "events.jsonl").exists()
                and ExportFinishedEvent.KIND in (folder / "events.jsonl").read_text(encoding="utf-8")
            )
        )
        return flags_from_json((folder / "flags.json").read_text(encoding="utf-8"))
    finally:
        remove_folder(folder)
