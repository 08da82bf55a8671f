"""The one definition of the messages that cross between Slicer and the worker.

Requests are JSON lines on the worker's standard input. Events are JSON lines appended to ``events.jsonl`` in the folder
that they belong to: the worker's own folder for Hello and Bye, a job's folder for everything about that job.
Every message is one frozen dataclass; ``encode`` and ``decode`` turn it into one line and back.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, ClassVar

from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.preview import PreviewEvent
from TotalSegmentatorWire.messages.wishes import PriorityRequest, WarmUpRequest

PROTOCOL_VERSION = 9
"""Raised with every change that the other side must know of. Both sides refuse to talk to another number."""


class Stage:
    """Stages of a job, about in their order: with several networks, loading and predicting alternate, and labels are
    made between the tiles of one; a preview is made between two networks, and takes no part of the progress. A progress
    event names one of them."""

    LOADING_ENGINE = "loading_engine"
    READING = "reading"
    CHECKING = "checking"
    ASKING_SERVER = "asking_server"
    SENDING_TO_SERVER = "sending_to_server"
    PREVIEWING = "previewing"
    LOADING_MODEL = "loading_model"
    RESAMPLING = "resampling"
    PREDICTING = "predicting"
    LABELLING = "labelling"
    RESTORING = "restoring"
    REVIEWING = "reviewing"
    WRITING = "writing"

    ALL = (
        LOADING_ENGINE,
        READING,
        CHECKING,
        ASKING_SERVER,
        SENDING_TO_SERVER,
        PREVIEWING,
        LOADING_MODEL,
        RESAMPLING,
        PREDICTING,
        LABELLING,
        RESTORING,
        REVIEWING,
        WRITING,
    )


# -- requests: Slicer to worker ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SegmentRequest:
    """Segment the CT in ``<job_folder>/ct.raw`` (or the CT ``ct_id`` that the worker still holds)."""

    KIND: ClassVar[str] = "segment"
    job_id: str
    job_folder: str
    """Absolute path of the job's private folder; it holds ct.json and, unless ct_is_cached, ct.raw."""
    results_folder: str
    """Absolute path of the folder into which the finished result is renamed, as ``<results_folder>/<job_id>``."""
    ct_id: str
    """Names the voxels and geometry of one CT; an unchanged CT keeps its id."""
    ct_is_cached: bool
    """True when this worker has been sent this CT before, so that ct.raw is not written again."""
    requests: list[dict[str, Any]]
    """ModelRequest.to_json() of each model that is to run, in their order; at least one."""
    models_folder: str
    """Folder that holds the installed models of the catalogue."""
    device: str = "auto"
    options: dict[str, Any] = field(default_factory=dict)
    """JobOptions.to_json(); what is left out has its default."""
    server: dict[str, Any] | None = None
    """DepartmentServer.to_json() where the networks run there, with its own models and device."""


@dataclass(frozen=True)
class ReviewRequest:
    """Run the command ``review`` on what ``job_folder`` holds, with the CT and the measurements that the worker has."""

    KIND: ClassVar[str] = "review"
    job_id: str
    job_folder: str
    """Absolute path of the job's private folder; the command's events (messages.export) go there."""
    ct_id: str
    """Of the CT on which the segmentation was made: NeedCt follows where the worker does not hold it."""
    arguments: list[str]
    """Of the command, ``review`` not among them, with ``--transferred``."""


@dataclass(frozen=True)
class PlanRequest:
    """Say what a job on a CT would do, without its voxels and without running it. PlanEvent or FailedEvent ends it."""

    KIND: ClassVar[str] = "plan"
    job_id: str
    job_folder: str
    """Absolute path of a private folder for the events."""
    ct_id: str
    """Of the CT, if this worker has been sent it as it is now; else empty."""
    shape: list[int]
    """k, j, i: slices, rows, columns."""
    ijk_to_ras: list[float]
    """16 numbers, row by row: column, row, slice index to RAS in mm."""
    requests: list[dict[str, Any]]
    """As of SegmentRequest, and all that follows."""
    models_folder: str
    device: str = "auto"
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CancelRequest:
    KIND: ClassVar[str] = "cancel"
    job_id: str


@dataclass(frozen=True)
class QuitRequest:
    KIND: ClassVar[str] = "quit"


# -- events: worker to Slicer ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class HelloEvent:
    """First event of a worker, in the worker's folder: it is ready for requests (torch may not be imported yet)."""

    KIND: ClassVar[str] = "hello"
    protocol: int
    engine_version: str
    pid: int
    python: str


@dataclass(frozen=True)
class ByeEvent:
    """Last event of a worker that ends by itself. ``reason`` is "quit", "idle" or "error"."""

    KIND: ClassVar[str] = "bye"
    reason: str


@dataclass(frozen=True)
class StartedEvent:
    """The worker has taken up the job."""

    KIND: ClassVar[str] = "started"
    job_id: str


@dataclass(frozen=True)
class NeedCtEvent:
    """The worker does not hold the CT that the request took for cached: send it and ask again. Ends the job."""

    KIND: ClassVar[str] = "need_ct"
    job_id: str


@dataclass(frozen=True)
class PlanEvent:
    """What the job is going to do; sent before the first tile, and again when the plan changes. And what a job would do
    that somebody has asked about by a PlanRequest."""

    KIND: ClassVar[str] = "plan"
    job_id: str
    plan: dict[str, Any]
    """Plan.to_json()"""


@dataclass(frozen=True)
class ProgressEvent:
    KIND: ClassVar[str] = "progress"
    job_id: str
    stage: str
    """One of Stage.ALL."""
    fraction: float
    """0..1 of the whole job; never falls within a job."""
    seconds_left: float | None = None
    """Estimated seconds until the job has finished, None while unknown."""
    tile: int = 0
    """Tiles done so far, over all part models; 0 outside Stage.PREDICTING."""
    tiles: int = 0
    network: int = 0
    """Place of the network that runs among the passes of the plan, from 1; 0 while none does."""
    networks: int = 0
    """Passes of the plan that have tiles."""
    part: str = ""
    """Of that network, as of PlannedPass."""
    model: str = ""
    purpose: str = ""
    memory_bytes: int | None = None
    """What the worker occupies; None where the system does not say, and where another computer does the work."""


@dataclass(frozen=True)
class WarningEvent:
    KIND: ClassVar[str] = "warning"
    job_id: str
    problem: dict[str, Any]
    """Problem.to_json()"""


@dataclass(frozen=True)
class NoteEvent:
    """Something worth knowing that is no reason to act: which slices were read."""

    KIND: ClassVar[str] = "note"
    job_id: str
    text: str
    """In English, without the names of patients and files."""


@dataclass(frozen=True)
class FinishedEvent:
    """The result lies complete in ``result_folder``: labels.raw and result.json (see job_folder)."""

    KIND: ClassVar[str] = "finished"
    job_id: str
    result_folder: str
    seconds: float
    agreement: dict[str, Any] | None = None
    """As of ResultHeader."""


@dataclass(frozen=True)
class FailedEvent:
    KIND: ClassVar[str] = "failed"
    job_id: str
    problem: dict[str, Any]
    """Problem.to_json()"""


@dataclass(frozen=True)
class CancelledEvent:
    KIND: ClassVar[str] = "cancelled"
    job_id: str


REQUESTS = {
    m.KIND: m
    for m in (SegmentRequest, ReviewRequest, PlanRequest, WarmUpRequest, PriorityRequest, CancelRequest, QuitRequest)
}
EVENTS = {
    m.KIND: m
    for m in (
        HelloEvent,
        ByeEvent,
        StartedEvent,
        NeedCtEvent,
        PlanEvent,
        ProgressEvent,
        WarningEvent,
        NoteEvent,
        PreviewEvent,
        FinishedEvent,
        FailedEvent,
        CancelledEvent,
    )
}


def encode(message: Any) -> str:
    """One line of JSON without its line end."""
    return json.dumps({"kind": message.KIND, **dataclasses.asdict(message)}, ensure_ascii=True)


def decode(line: str | bytes, kinds: dict[str, Any]) -> Any:
    """The message in ``line``. ``kinds`` is REQUESTS or EVENTS. Raises SegmentationError("BAD_REQUEST")."""
    try:
        fields = json.loads(line)
        message_class = kinds[fields.pop("kind")]
        return message_class(**fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SegmentationError("BAD_REQUEST", detail=type(error).__name__) from error


def problem_from_json(fields: dict[str, Any]) -> Problem:
    """The Problem that ``Problem.to_json`` wrote. Raises SegmentationError("BAD_REQUEST") for an unknown code."""
    problem = Problem(str(fields.get("code")), dict(fields.get("values") or {}))
    try:
        _ = problem.what, problem.todo
    except (KeyError, IndexError, ValueError) as error:
        raise SegmentationError("BAD_REQUEST", detail="unknown problem") from error
    return problem


# -- files of a job ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CtHeader:
    """Contents of ct.json: what the raw voxels in ct.raw mean."""

    ct_id: str
    shape: list[int]
    """k, j, i: slices, rows, columns; ct.raw is C-contiguous in this order, little endian."""
    dtype: str
    """NumPy name of the voxel type, for instance "int16"."""
    ijk_to_ras: list[float]
    """16 numbers, row by row: column, row, slice index to RAS in mm."""
    series_instance_uid: str | None = None
    dicom_files: list[str] = field(default_factory=list)
    """Files of the series where Slicer's DICOM database has them: their headers are validated like a DICOM folder's."""


@dataclass(frozen=True)
class FoundStructure:
    """One structure of a result."""

    label: int
    """Of its voxels in its layer; not always the number that its model gives it."""
    name: str
    voxels: int
    extent: list[int]
    """i_min, i_max, j_min, j_max, k_min, k_max, inclusive."""
    digest: str = ""
    """Of the voxels, to find out later whether somebody edited them (TotalSegmentatorEngine.imaging.voxel_digest)."""
    mean_hu: float | None = None
    volume_ml: float | None = None
    """None only in results that were kept before this field was there."""
    layer: int = 0
    """Index of the layer that holds its voxels."""
    model: str = ""
    """That found it; empty where the result has only one."""


@dataclass(frozen=True)
class ResultHeader:
    """Contents of result.json: what labels.raw means, which holds the layers one after the other (each uint8, C order
    k, j, i, the CT's grid)."""

    job_id: str
    ct_id: str
    shape: list[int]
    ijk_to_ras: list[float]
    series_instance_uid: str | None
    found: list[FoundStructure]
    absent: list[str]
    """Names that were asked for and have no voxel."""
    models: list[str]
    """Model ids, or the dataset names of model folders, in the order of computation."""
    profiles: dict[str, str]
    """Id of the profile that was run, by model."""
    engine_version: str
    device: str
    seconds: float
    created: str
    """ISO 8601, UTC."""
    options: dict[str, Any] = field(default_factory=dict)
    """JobOptions.to_json() with "auto" resolved: the runtime and precision that were really used."""
    structures: list[dict[str, Any]] = field(default_factory=list)
    """One row per found structure as TotalSegmentatorWire.tables.structures.Structure has it (name, colour, codes)."""
    review: dict[str, Any] | None = None
    """What TotalSegmentatorWire.messages.review.review_object gives; None where nothing was reviewed."""
    layers: int = 1
    """Structures of one layer do not overlap; those of several may."""
    agreement: dict[str, Any] | None = None
    """Agreement.to_json(); None where the labels are exact or were not checked."""
    preview_of: str | None = None
    """Of a preview: id of the job whose fine result follows."""

    def model_of(self, found: FoundStructure) -> str:
        """The model that found one of the structures."""
        return found.model or self.models[0]


def header_to_json(header: CtHeader | ResultHeader) -> str:
    return json.dumps(dataclasses.asdict(header), indent=1)


def ct_header_from_json(text: str) -> CtHeader:
    return CtHeader(**json.loads(text))


def result_header_from_json(text: str) -> ResultHeader:
    """Results that were kept by an earlier version have one model and one layer."""
    fields = json.loads(text)
    if "model" in fields:
        model = fields.pop("model")
        fields |= {"models": [model], "profiles": {model: fields.pop("profile")}}
    fields["found"] = [FoundStructure(**found) for found in fields["found"]]
    return ResultHeader(**fields)
