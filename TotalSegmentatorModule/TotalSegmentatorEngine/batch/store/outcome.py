"""What came of one CT, as ``done.json`` keeps it.

It holds no path, UID, name or date of its source, so that a folder of results can be passed on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from TotalSegmentatorWire.errors.problem import SegmentationError

VERSION = 2
"""Of the JSON; raised when a field changes its meaning. 1: one model, and one layer."""
_READ = (1, VERSION)
DONE, FAILED = "done", "failed"


@dataclass(frozen=True)
class OutcomeError:
    code: str
    numbers: dict[str, float] = field(default_factory=dict)
    """The problem's values that are numbers: a text may be what somebody typed."""


@dataclass(frozen=True)
class StructureOutcome:
    """A structure that was found."""

    name: str
    label: int
    """Of its voxels in its layer of the segmentation."""
    voxels: int
    volume_ml: float
    mean_hu: float | None
    percentiles_hu: dict[str, float]
    """By "5", "10", "25", "50", "75", "90" and "95"; empty without values."""
    is_cut: bool
    """Whether the scan ends within it."""
    flags: tuple[str, ...] = ()
    """Ids of the rules of the review that speak of it, the worst first."""
    level: str = ""
    """The worst of its flags, one of ``messages.review.Level``; empty without a flag."""
    state: str = "unreviewed"
    """One of ``tables.review_state.ReviewState``."""
    layer: int = 0
    model: str = ""
    """That found it; empty where the outcome's model did, as in records of version 1."""
    profile: str = ""
    """Likewise, of that model."""


@dataclass(frozen=True)
class Outcome:
    id: str
    """The first 12 hexadecimal digits of ``input_digest``."""
    input_digest: str
    """SHA-256 of the CT's files, whatever they are called and wherever they lie."""
    options_digest: str
    """SHA-256 of everything beside the CT that the result depends on."""
    state: str
    """DONE or FAILED."""
    error: OutcomeError | None = None
    """Of a failed CT. One with structures was segmented, and one of its exports failed."""
    warnings: tuple[str, ...] = ()
    """Codes, each once."""
    model: str = ""
    """Id of the catalogue, or the dataset name of a model folder; of several, with commas."""
    profile: str = ""
    """Of the model; of several, each once with commas."""
    device: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    """``JobOptions.to_json()`` with the runtime and precision that were used."""
    exports: dict[str, str] = field(default_factory=dict)
    """File names in the case's folder, by format."""
    versions: dict[str, str] = field(default_factory=dict)
    """Of "engine" and of the packages that computed the result."""
    model_digest: str = ""
    """SHA-256 of the model's plans and weights."""
    segmentation_digest: str = ""
    """SHA-256 of the file, by which it is known whether somebody has edited it; empty where there is none, and in
    records of earlier versions."""
    seconds: dict[str, float] = field(default_factory=dict)
    """By stage of the job (``messages.segment.Stage``), and "total"."""
    shape: tuple[int, int, int] | None = None
    """(k, j, i) of the CT; None where it could not be read."""
    spacing_mm: tuple[float, float, float] | None = None
    """Along i, j, k."""
    structures: tuple[StructureOutcome, ...] = ()
    """In the order of their layers and labels."""
    flags: tuple[dict[str, Any], ...] = ()
    """As the command ``review --json`` prints them."""
    agreement: dict[str, Any] | None = None
    """``Agreement.to_json()`` of approximate labels with the exact ones; None where the labels are exact or were not
    checked, and in records of earlier versions."""

    @property
    def is_done(self) -> bool:
        return self.state == DONE

    @property
    def seconds_total(self) -> float:
        return self.seconds.get("total", 0.0)


def to_json(outcome: Outcome) -> dict[str, Any]:
    """For ``json.dumps``."""
    fields = dataclasses.asdict(outcome)
    shape, spacing = fields.pop("shape"), fields.pop("spacing_mm")
    fields["ct"] = None if shape is None else {"shape": list(shape), "spacing_mm": list(spacing)}
    return {"version": VERSION, **fields}


def from_json(fields: Mapping[str, Any]) -> Outcome:
    """What ``to_json`` wrote. Raises SegmentationError("BATCH_RECORD_DAMAGED") for anything else."""
    try:
        if fields["version"] not in _READ:
            raise ValueError(fields["version"])
        rest = {name: fields[name] for name in _PLAIN if name in fields or name not in _ADDED}
        error, ct = fields["error"], fields["ct"]
        return Outcome(
            **rest,
            error=None if error is None else OutcomeError(**error),
            warnings=tuple(fields["warnings"]),
            shape=None if ct is None else tuple(ct["shape"]),
            spacing_mm=None if ct is None else tuple(ct["spacing_mm"]),
            structures=tuple(_structure(each) for each in fields["structures"]),
            flags=tuple(fields["flags"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SegmentationError("BATCH_RECORD_DAMAGED") from error


def is_newer(fields: object) -> bool:
    """Whether JSON, of anything, is a record of a newer version than this program knows."""
    version = fields.get("version") if isinstance(fields, Mapping) else None
    return type(version) is int and version > VERSION


def _structure(fields: Mapping[str, Any]) -> StructureOutcome:
    return StructureOutcome(**{**fields, "flags": tuple(fields["flags"])})


_ADDED = ("segmentation_digest", "agreement")
"""Since the first records of this version, which go without."""
_PLAIN = tuple(
    each.name
    for each in dataclasses.fields(Outcome)
    if each.name not in ("error", "warnings", "shape", "spacing_mm", "structures", "flags")
)
