"""The command ``review`` in the resident worker, which holds the CT and what was measured before."""

from __future__ import annotations

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.export import ExportFinishedEvent
from TotalSegmentatorWire.messages.segment import NeedCtEvent

from TotalSegmentatorEngine.export.progress import ExportReporter
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.review.arguments import transfer_options
from TotalSegmentatorEngine.review.commands import Reviewed, review_with
from TotalSegmentatorEngine.review.reading import HeldReview
from TotalSegmentatorEngine.worker.request_queue import AcceptedJob


def check_again(job: AcceptedJob, cache: EngineCache) -> ExportFinishedEvent | NeedCtEvent:
    """Returns the job's last event. ``job.request``: a ReviewRequest. What is measured stays in ``cache`` for the next
    one, so that it measures only what has changed. Raises SegmentationError."""
    ct = cache.ct(job.request.ct_id)
    if ct is None:
        return NeedCtEvent(job.request.job_id)
    try:
        options = transfer_options(job.request.arguments)
    except SystemExit as error:
        raise SegmentationError("BAD_REQUEST", detail="arguments") from error
    reviewed = Reviewed()
    held = HeldReview(ct.volume, cache.findings)
    finished = review_with(options, ExportReporter(job.events.emit, job.is_cancelled), reviewed, held)
    cache.remember_findings(ct.volume, reviewed.findings)
    return finished
