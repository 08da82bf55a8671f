"""The queue in words."""

from __future__ import annotations

from collections.abc import Iterable

from slicer.i18n import tr as _

from TotalSegmentatorModuleLib.job_queue.choices import choices_text
from TotalSegmentatorModuleLib.job_queue.queue_file import KeptQueue
from TotalSegmentatorModuleLib.job_queue.queued_ct import CtOrigin, QueuedCt, QueueState
from TotalSegmentatorModuleLib.scene.dicom.series_loading import series_title
from TotalSegmentatorModuleLib.texts.errors import problem_texts


def title_of(origin: CtOrigin, number: int) -> str:
    """What a CT is called whose name was not kept: as the database describes its series, or after its file."""
    described = series_title(origin.series_instance_uid) if origin.series_instance_uid else ""
    name = described or (origin.file or "").replace("\\", "/").rpartition("/")[2]
    return name or _("CT {number} of the queue").format(number=number)


def state_text(item: QueuedCt) -> str:
    """A few words."""
    if item.state is QueueState.RUNNING:
        return _("Running, {percent} %").format(percent=int(item.whole_fraction * 100))
    if item.state is QueueState.WAITING and item.is_sequence and item.done:
        return _("{done} of {frames}").format(done=len(item.done), frames=item.frames)
    return _state_names()[item.state]


def line_tool_tip(item: QueuedCt) -> str:
    """What was chosen for it, and what has become of it."""
    return "\n".join(part for part in (item.title, choices_text(item.choices), explanation(item)) if part)


def explanation(item: QueuedCt) -> str:
    """The state in a sentence or two, for the line below the list."""
    if item.problem is not None:
        return " ".join(problem_texts(item.problem))
    if item.state is QueueState.RUNNING and item.is_sequence:
        return _("Frame {number} of {frames} is being segmented.").format(
            number=(item.next_frame or 0) + 1, frames=item.frames
        )
    if item.state is QueueState.GONE:
        return _("The CT is not loaded any more. Queue again loads it from where it came, if that is known.")
    return ""


def summary(items: Iterable[QueuedCt], is_running: bool) -> str:
    """One line about all; empty where there is nothing."""
    states = [item.state for item in items]
    if not states:
        return ""
    counts = [
        (_("{count} finished"), states.count(QueueState.DONE)),
        (_("{count} running"), states.count(QueueState.RUNNING)),
        (_("{count} waiting"), states.count(QueueState.WAITING)),
        (_("{count} failed"), states.count(QueueState.FAILED)),
        (_("{count} cancelled"), states.count(QueueState.CANCELLED)),
        (_("{count} not loaded any more"), states.count(QueueState.GONE)),
    ]
    line = ", ".join(text.format(count=count) for text, count in counts if count)
    if QueueState.WAITING in states and not is_running:
        return _("{line}. The queue is paused.").format(line=line)
    return _("{line}.").format(line=line)


def section_title(items: Iterable[QueuedCt]) -> str:
    """With how much is left, which shows while the section is closed."""
    left = sum(item.is_pending for item in items)
    return _("&Queue ({count} left)").format(count=left) if left else _("&Queue")


def cancelled_text(goes_on: bool) -> str:
    """After a job was cancelled. ``goes_on``: the queue begins the next one."""
    if goes_on:
        return _("Cancelled. The queue goes on with the next CT; Pause in the Queue section stops it.")
    return _("Cancelled. Nothing was changed.")


def offer_text(kept: KeptQueue) -> str:
    return _("A queue of an earlier session was not finished. CTs left: {left} of {count}.").format(
        left=kept.left, count=len(kept.items)
    )


def resume_text(kept: KeptQueue) -> str:
    """On the button."""
    return _("Resume the queue ({left} of {count} left)").format(left=kept.left, count=len(kept.items))


def _state_names() -> dict[QueueState, str]:
    return {
        QueueState.WAITING: _("Waiting"),
        QueueState.RUNNING: _("Running"),
        QueueState.DONE: _("Finished"),
        QueueState.FAILED: _("Failed"),
        QueueState.CANCELLED: _("Cancelled"),
        QueueState.GONE: _("Not loaded"),
    }
