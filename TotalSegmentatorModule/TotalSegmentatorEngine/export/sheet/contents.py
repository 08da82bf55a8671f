"""What a review sheet says. The pages show it, and ``to_json`` gives it as data
(Resources/Review/review_sheet.schema.json).

Nothing in it names a patient but ``patient``, which is None unless it was asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from TotalSegmentatorWire.messages.agreement import Agreement
from TotalSegmentatorWire.messages.review import Flag, Level, structures_by_level
from TotalSegmentatorWire.tables.review_state import ReviewState
from TotalSegmentatorWire.tables.usual_ranges import Range

SHEET_VERSION = 1
"""Of the JSON; raised when a field changes its meaning."""


@dataclass(frozen=True)
class EditSize:
    """How far a structure is from what the model computed. The computed one is the reference."""

    computed_ml: float
    volume_ml: float
    """As it is now; 0 where nothing is left."""
    dice: float
    added_path_mm: float
    """Added path length, see ``added_path_length``."""

    @property
    def difference_ml(self) -> float:
        return self.volume_ml - self.computed_ml


@dataclass(frozen=True)
class SheetStructure:
    name: str
    """As the segmentation calls it; of a union as it goes out."""
    exported_name: str
    """As an export writes it: TG-263, with ``~`` where it is cut."""
    segments: tuple[str, ...]
    """Ids of the segments that it is made of."""
    state: ReviewState
    is_approved_together: bool
    """Whether it was approved with all others without remarks, and not by itself."""
    is_cut: bool
    origin: str
    """Model and version, and whether it was edited, or who else made it."""
    voxels: int
    volume_ml: float
    mean_hu: float
    sd_hu: float
    usual_ml: Range | None
    usual_hu: Range | None
    digest: str
    """Of its voxels and their place (TotalSegmentatorEngine.imaging.voxel_digest)."""
    is_edited: bool
    """Whether its voxels are not those that the model computed."""
    edit: EditSize | None
    """None where nothing was edited, or the computed structure was not kept."""

    @property
    def has_usual_volume(self) -> bool | None:
        """None where no range is published, and where the scan cuts the structure."""
        return None if self.usual_ml is None or self.is_cut else self.usual_ml.holds(self.volume_ml)

    @property
    def has_usual_hu(self) -> bool | None:
        """None where the tissue has no range."""
        return None if self.usual_hu is None else self.usual_hu.holds(self.mean_hu)


@dataclass(frozen=True)
class Remark:
    """One flag of the review, and what became of it."""

    flag: Flag
    sentence: str
    state: ReviewState
    """Of its structure: the decision."""
    is_approved_together: bool
    is_repaired: bool
    """Whether a repair was applied for it, and nothing was checked since."""

    @property
    def decision(self) -> str:
        """One of DECISIONS."""
        if self.is_approved_together and self.state is ReviewState.APPROVED:
            return APPROVED_TOGETHER
        return OPEN if self.state is ReviewState.UNREVIEWED else self.state.value


OPEN, APPROVED_TOGETHER = "open", "approved-together"
DECISIONS = (OPEN, APPROVED_TOGETHER, *(state.value for state in ReviewState if state is not ReviewState.UNREVIEWED))


@dataclass(frozen=True)
class Computation:
    """One way in which structures were computed; a result has one, a segmentation of several results more."""

    model: str
    profile: str
    version: str
    """Of this program."""
    options: Mapping[str, str]
    """As the segments' tags have them."""
    seconds: float | None
    """Of the whole job; None where it is not known."""
    device: str
    structures: int
    """Those of the sheet that were computed so."""
    agreement: Agreement | None = None
    """Of approximate labels with the exact ones; None where the labels are exact or were not checked."""


@dataclass(frozen=True)
class Input:
    digest: str
    """Names the CT without its identifiers: of its Series Instance UID as the tags of a result have it or, where it
    did not come from DICOM, of its voxels."""
    voxel_digest: str
    """Of the HU values."""
    shape: tuple[int, int, int]
    """k, j, i"""
    spacing_mm: tuple[float, float, float]
    """Along i, j, k."""


@dataclass(frozen=True)
class ReviewSheet:
    input: Input
    patient: Mapping[str, str] | None
    """Names of the attributes in DICOM to what they say."""
    computations: tuple[Computation, ...]
    structures: tuple[SheetStructure, ...]
    removed: tuple[tuple[str, float], ...]
    """Names of computed structures of which nothing is left, and their computed volumes in ml."""
    remarks: tuple[Remark, ...] | None
    """The worst first; None where nobody checked."""
    is_checked_now: bool
    """Whether the remarks were found for this sheet, so that nobody has seen them before."""
    has_computed: bool
    """Whether the computed structures were there to compare with."""
    software: Mapping[str, str]
    """Names and versions of what made the sheet."""

    @property
    def counts(self) -> dict[str, int]:
        """Structures by review state."""
        found = Counter(structure.state for structure in self.structures)
        return {state.value: found[state] for state in ReviewState}

    @property
    def approved_together(self) -> int:
        return sum(structure.is_approved_together for structure in self.structures)

    @property
    def levels(self) -> dict[str, int]:
        """Structures by the worst level of their remarks."""
        return structures_by_level([remark.flag for remark in self.remarks or ()])

    @property
    def numbered(self) -> list[tuple[int, Remark]]:
        """The remarks that ask for a look, numbered from 1."""
        asked = [remark for remark in self.remarks or () if remark.flag.level != Level.CUT]
        return list(enumerate(asked, start=1))

    @property
    def edited(self) -> list[SheetStructure]:
        return [structure for structure in self.structures if structure.is_edited]

    def to_json(self) -> dict[str, Any]:
        numbers = {id(remark): number for number, remark in self.numbered}
        return {
            "version": SHEET_VERSION,
            "input": {
                "digest": self.input.digest,
                "voxel_digest": self.input.voxel_digest,
                "shape_kji": list(self.input.shape),
                "spacing_mm_ijk": [round(length, 4) for length in self.input.spacing_mm],
            },
            "patient": None if self.patient is None else dict(self.patient),
            "computations": [_computation(each) for each in self.computations],
            "software": dict(self.software),
            "counts": {**self.counts, "approved_together": self.approved_together},
            "levels": None if self.remarks is None else self.levels,
            "remarks": None
            if self.remarks is None
            else [_remark(remark, numbers.get(id(remark))) for remark in self.remarks],
            "checked_now": self.is_checked_now,
            "has_computed": self.has_computed,
            "removed": [{"name": name, "computed_ml": round(volume, 3)} for name, volume in self.removed],
            "structures": [_structure(structure) for structure in self.structures],
        }


def _computation(each: Computation) -> dict[str, Any]:
    return {
        "model": each.model,
        "profile": each.profile,
        "version": each.version,
        "options": dict(each.options),
        "seconds": each.seconds,
        "device": each.device,
        "structures": each.structures,
        "agreement": None if each.agreement is None else each.agreement.to_json(),
    }


def _remark(remark: Remark, number: int | None) -> dict[str, Any]:
    made = {"number": number, "decision": remark.decision, "repaired": remark.is_repaired}
    return remark.flag.to_json(remark.sentence) | made


def _structure(each: SheetStructure) -> dict[str, Any]:
    return {
        "name": each.name,
        "exported_name": each.exported_name,
        "segments": list(each.segments),
        "state": each.state.value,
        "approved_together": each.is_approved_together,
        "cut": each.is_cut,
        "origin": each.origin,
        "voxels": each.voxels,
        "volume_ml": round(each.volume_ml, 3),
        "usual_ml": _range(each.usual_ml),
        "has_usual_volume": each.has_usual_volume,
        "mean_hu": round(each.mean_hu, 2),
        "sd_hu": round(each.sd_hu, 2),
        "usual_hu": _range(each.usual_hu),
        "has_usual_hu": each.has_usual_hu,
        "digest": each.digest,
        "edited": each.is_edited,
        "edit": None if each.edit is None else _edit(each.edit),
    }


def _range(usual: Range | None) -> dict[str, Any] | None:
    return None if usual is None else {"low": usual.low, "high": usual.high, "source": usual.source}


def _edit(size: EditSize) -> dict[str, float]:
    return {
        "computed_ml": round(size.computed_ml, 3),
        "difference_ml": round(size.difference_ml, 3),
        "dice": round(size.dice, 4),
        "added_path_mm": round(size.added_path_mm, 2),
    }
