"""One line of the queue: a CT or a sequence of CTs, what is asked for, and how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from TotalSegmentatorWire.errors.problem import Problem


class QueueState(str, Enum):
    """The values stand in the queue's file."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    GONE = "gone"
    """The CT is not loaded any more."""


PENDING = (QueueState.WAITING, QueueState.RUNNING)


@dataclass(frozen=True)
class CtOrigin:
    """By what a CT is found again, in this Slicer or the next one. No name: that may be the patient's.

    It has the fields of ``segmentation_import.MadeOnCt``.
    """

    shape: tuple[int, ...] = ()
    """k, j, i; of a sequence that of its first frame. Empty for a DICOM series that was not loaded yet."""
    ijk_to_ras: tuple[float, ...] = ()
    """16 numbers, row by row, RAS in mm."""
    series_instance_uid: str | None = None
    """None where it did not come from DICOM."""
    file: str | None = None
    """Path of the file from which it was loaded, or to which it was saved; None where it differs from any file."""
    file_bytes: int = 0
    file_time_ns: int = 0
    """Size and time of that file."""
    frames: int = 0
    """Of a sequence; 0 for a single CT."""


@dataclass(frozen=True)
class QueuedChoices:
    """What was chosen when the CT was added, such that JSON can hold it."""

    requests: list[dict[str, Any]]
    """ModelRequest, at least one."""
    device: str
    options: dict[str, Any]
    """JobOptions"""
    server: dict[str, Any] | None = None
    """DepartmentServer; None for this computer."""

    @property
    def server_address(self) -> str:
        """Empty for this computer."""
        return self.server["address"] if self.server is not None else ""


@dataclass
class QueuedCt:
    """Frames count from 0; a single CT is its own frame 0."""

    id: str
    origin: CtOrigin
    choices: QueuedChoices
    title: str = ""
    """For the screen alone: it is not kept on disk."""
    state: QueueState = QueueState.WAITING
    problem: Problem | None = None
    """Why it failed or is gone."""
    jobs: dict[int, str] = field(default_factory=dict)
    """The job that was started last for each frame."""
    done: list[int] = field(default_factory=list)
    """Frames whose result is in the scene, or was in that of an earlier Slicer."""
    failed: dict[int, Problem] = field(default_factory=dict)
    """Frames of a sequence that are left out, and why."""
    is_unsaved: bool = False
    """The files of frames' results are kept, because the sequence of segmentations is in the scene alone."""

    # of this Slicer alone
    node_id: str = ""
    """The volume, or the sequence; empty while it is not loaded."""
    result_id: str = ""
    """The vtkMRMLSegmentationNode of the (latest) result."""
    target_id: str = ""
    """The sequence of segmentations."""
    fraction: float = 0.0
    """0..1 of the frame that is running."""

    @property
    def is_pending(self) -> bool:
        return self.state in PENDING

    @property
    def is_kept(self) -> bool:
        """Whether it has to outlast a crash."""
        return self.is_pending or self.is_unsaved

    @property
    def is_sequence(self) -> bool:
        return self.origin.frames > 0

    @property
    def frames(self) -> int:
        return max(1, self.origin.frames)

    @property
    def next_frame(self) -> int | None:
        """The first frame that is neither finished nor left out; None at the end."""
        return next((each for each in range(self.frames) if each not in self.done and each not in self.failed), None)

    @property
    def whole_fraction(self) -> float:
        """0..1 of all frames."""
        return min(1.0, (len(self.done) + len(self.failed) + self.fraction) / self.frames)

    def begin_again(self) -> None:
        """Put it back into the queue; frames that are finished stay so."""
        self.state, self.problem, self.fraction = QueueState.WAITING, None, 0.0
        self.failed.clear()
        if len(self.done) >= self.frames:
            self.done.clear()
            self.jobs.clear()

    def revive(self) -> None:
        """What it is for the next Slicer, whose scene has none of its frames: they are imported again where their
        results are still there, else computed again."""
        if self.is_sequence and self.is_kept:
            self.done.clear()
            self.state, self.problem = QueueState.WAITING, None
        elif self.state is QueueState.RUNNING:
            self.state = QueueState.WAITING
        self.is_unsaved = False


def problem_to_json(problem: Problem | None) -> dict[str, Any] | None:
    return None if problem is None else {"code": problem.code, "values": problem.values}


def problem_from_json(fields: Mapping[str, Any] | None) -> Problem | None:
    """None, too, for a code that this version does not know. Raises KeyError, TypeError."""
    if fields is None:
        return None
    problem = Problem(str(fields["code"]), dict(fields["values"]))
    try:
        _ = problem.what, problem.todo
    except KeyError:
        return None
    return problem
