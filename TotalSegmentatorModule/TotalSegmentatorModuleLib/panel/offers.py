"""What the panel offers of an earlier Slicer, in words."""

from __future__ import annotations

from collections.abc import Callable

from slicer.i18n import tr as _
from TotalSegmentatorWire.messages.segment import ResultHeader

from TotalSegmentatorModuleLib.job_queue.queue_file import KeptQueue
from TotalSegmentatorModuleLib.job_queue.texts import offer_text, resume_text
from TotalSegmentatorModuleLib.panel.unimported_results import Offer
from TotalSegmentatorModuleLib.recovery.saved_review import UnsavedReview
from TotalSegmentatorModuleLib.segment.progress_text import unimported_text, unsaved_text


def offer_of_result(header: ResultHeader, on_import: Callable[[str], None], on_delete: Callable[[str], None]) -> Offer:
    """The functions get the job's id."""
    return Offer(
        created=header.created,
        text=unimported_text(header),
        accept=_("Import"),
        tool_tip=_("Import the result into the scene as a segmentation."),
        question=_("Delete this finished segmentation? This cannot be undone."),
        on_accept=lambda: on_import(header.job_id),
        on_delete=lambda: on_delete(header.job_id),
    )


def offer_of_review(
    unsaved: UnsavedReview,
    on_restore: Callable[[UnsavedReview], None],
    on_delete: Callable[[UnsavedReview], None],
) -> Offer:
    review = unsaved.review
    return Offer(
        created=review.created,
        text=unsaved_text(review.created, review.model, len(review.segments)),
        accept=_("Restore"),
        tool_tip=_("Put the segmentation into the scene as you left it: edits, status and remarks."),
        question=_("Delete this segmentation with its review? This cannot be undone."),
        on_accept=lambda: on_restore(unsaved),
        on_delete=lambda: on_delete(unsaved),
    )


def offer_of_queue(
    kept: KeptQueue, on_resume: Callable[[KeptQueue], None], on_delete: Callable[[KeptQueue], None]
) -> Offer:
    return Offer(
        created=kept.written,
        text=offer_text(kept),
        accept=resume_text(kept),
        tool_tip=_("Load the CTs that are left from where they came, and segment them one after the other."),
        question=_("Delete this queue? What was segmented already is not deleted."),
        on_accept=lambda: on_resume(kept),
        on_delete=lambda: on_delete(kept),
    )


def no_ct_question() -> str:
    """Before a review is restored."""
    return _(
        "The CT of this segmentation is not in the scene. Without it, structures cannot be checked or computed again, "
        "and a CT that is loaded later is not linked.\n\nRestore the segmentation without its CT?"
    )


def load_ct_text() -> str:
    """After "no"."""
    return _(
        "Nothing was restored. Load the CT of the segmentation, then choose Restore again. If the CT comes from an "
        "image file, choose it as the CT to segment first."
    )
