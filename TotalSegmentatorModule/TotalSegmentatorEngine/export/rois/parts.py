"""What is known of a segment, or of a union of segments, before it gets the name under which it goes out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from TotalSegmentatorWire import ALGORITHM_NAME
from TotalSegmentatorWire.tables.result_tags import PREFIX
from TotalSegmentatorWire.tables.review_state import (
    ABSENT_TAG,
    APPROVED_TOGETHER_TAG,
    FLAGS_TAG,
    REVIEW_STATE_TAG,
    VOXEL_DIGEST_TAG,
    ReviewState,
    is_drawn,
    review_state,
    worst,
)

from TotalSegmentatorEngine.export.core.codes import RoiCodes, codes_of, union_codes
from TotalSegmentatorEngine.export.core.roi import (
    AUTOMATIC,
    BODY_OUTLINE,
    GENERATION_ALGORITHMS,
    MANUAL,
    ORIGIN_UNKNOWN,
    SEMIAUTOMATIC,
)
from TotalSegmentatorEngine.export.core.segmentation import MODEL_TAG, Segment
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask, union
from TotalSegmentatorEngine.export.grid.placement import PlacedSegmentation
from TotalSegmentatorEngine.export.rois.tg263_names import CUT, LONGEST_TEXT

ALGORITHM_TYPE_TAG = "DICOM.SegmentAlgorithmType"
ALGORITHM_NAME_TAG = "DICOM.SegmentAlgorithmName"
_VERSION_TAG = PREFIX + "Version"

_OWN_TAGS = (REVIEW_STATE_TAG, APPROVED_TOGETHER_TAG, VOXEL_DIGEST_TAG, FLAGS_TAG, ABSENT_TAG)

_CUT = ".."
_BY_HAND = "Drawn by hand"
_EDITED = "edited"
_UNKNOWN = "Unknown algorithm"
_OWN_ORIGIN = re.compile(rf"(?:.*; )?(?P<model>[^;]+), {re.escape(ALGORITHM_NAME)}\b.*")
"""What this program writes into a DICOM object about a structure that it computed; read again it still says so."""
_MARKED = re.compile(rf".+{CUT}(_[LR])?", re.IGNORECASE)
"""A name that says itself that the structure is cut: ``Liver~``, ``Lung~_L``."""


@dataclass(frozen=True)
class Part:
    """A segment on the grid, or several of them together."""

    sources: tuple[str, ...]
    """Ids of the segments."""
    colour: tuple[int, int, int]
    codes: RoiCodes | None
    review_state: ReviewState
    algorithm: str
    """One of GENERATION_ALGORITHMS, empty where nobody knows."""
    algorithm_name: str
    origin: str
    """Model and version, or who else made it."""
    is_cut: bool
    """True where it reaches the border of the CT or of the part of it on which it was made, or its name says so; of a
    union also where parts are not there."""
    is_empty: bool
    voxels: Callable[[], VoxelMask]
    models: tuple[str, ...] = ()
    """Of this program, that computed it."""
    is_edited: bool = False
    """Whether its voxels are not those that a model made."""
    expected: int = 1
    """Parts that a union is made of where all are there."""
    present: int = 1
    tags: dict[str, str] = field(default_factory=dict)
    """Of the segment, or what all parts share."""
    structure: str = ""
    """Its name in the label tables; empty for what has none there, and for a union."""

    @property
    def description(self) -> str:
        """Where it comes from, at most 64 characters; it says first whether it was constructed or edited."""
        changes = []
        if self.expected > 1:
            count = f"{self.present}" if self.present == self.expected else f"{self.present} of {self.expected}"
            changes.append(f"constructed of {count}")
        if self.is_edited and not self.origin.lower().startswith(_EDITED):
            changes.append(_EDITED)
        return _fitted("".join(f"{change}; " for change in changes).capitalize(), self.origin)


def _fitted(construction: str, origin: str) -> str:
    """Both in LONGEST_TEXT characters: a long model's name is cut rather than the version that stands after it."""
    model, comma, program = origin.rpartition(", ")
    room = LONGEST_TEXT - len(construction) - len(comma) - len(program)
    if len(model) > room > len(_CUT):
        model = model[: room - len(_CUT)] + _CUT
    return f"{construction}{model}{comma}{program}"[:LONGEST_TEXT]


def segment_part(placed: PlacedSegmentation, segment: Segment, is_edited: bool) -> Part:
    """``is_edited``: its voxels are not those that the engine made."""
    box = placed.box(segment)
    state = review_state(segment.tags, is_edited)
    algorithm = _algorithm(segment, is_edited or state is ReviewState.EDITED or is_drawn(segment.tags))
    return Part(
        sources=(segment.id,),
        colour=segment.colour,
        codes=codes_of(segment.tags, segment.structure, segment.codes),
        review_state=state,
        algorithm=algorithm,
        algorithm_name="" if algorithm in ("", MANUAL) else _algorithm_name(segment),
        origin=segment.origin or _origin(segment, algorithm),
        is_cut=box is not None and (placed.is_at_border(box) or _is_marked(segment.name)),
        is_empty=box is None,
        voxels=lambda: placed.mask(segment),
        models=_models(segment),
        is_edited=algorithm == SEMIAUTOMATIC and segment.tags.get(ALGORITHM_TYPE_TAG, AUTOMATIC) != SEMIAUTOMATIC,
        tags=dict(segment.tags),
        structure=segment.structure.name if segment.structure is not None else "",
    )


def union_part(parts: Sequence[Part], absent: int) -> Part | None:
    """All voxels of ``parts``; ``absent`` others are not in the segmentation. None where no part has a voxel.

    It is cut where a part is cut, empty or absent, and in the worst review state of its parts: a rejected part spoils
    the whole.
    """
    filled = [part for part in parts if not part.is_empty]
    if not filled:
        return None
    expected = len(parts) + absent
    names = dict.fromkeys(part.algorithm_name for part in filled if part.algorithm_name)
    algorithm = _union_algorithm({part.algorithm for part in filled})
    return Part(
        sources=tuple(dict.fromkeys(source for part in filled for source in part.sources)),
        colour=filled[0].colour,
        codes=union_codes([part.codes for part in filled]) if len(filled) == expected else None,
        review_state=worst(part.review_state for part in filled),
        algorithm=algorithm,
        algorithm_name=", ".join(names)[:LONGEST_TEXT] if algorithm else "",
        origin=", ".join(dict.fromkeys(part.origin for part in filled)),
        is_cut=len(filled) < expected or any(part.is_cut for part in filled),
        is_empty=False,
        voxels=lambda: union([part.voxels() for part in filled]),
        models=tuple(dict.fromkeys(model for part in filled for model in part.models)),
        is_edited=any(part.is_edited for part in filled),
        expected=sum(part.expected for part in parts) + absent,
        present=sum(part.present for part in filled),
        tags=_shared_tags(filled),
    )


def _shared_tags(parts: Sequence[Part]) -> dict[str, str]:
    """How all parts were made and on which CT; each has a meaning, a digest and a state of its own."""
    first, *others = (part.tags for part in parts)
    shared = {name: value for name, value in first.items() if all(tags.get(name) == value for tags in others)}
    return {name: value for name, value in shared.items() if name.startswith(PREFIX) and name not in _OWN_TAGS}


def _is_marked(name: str) -> bool:
    return _MARKED.fullmatch(name.strip()) is not None


def _algorithm(segment: Segment, is_edited: bool) -> str:
    """What its tag says, or the model that made it; without either MANUAL where it was drawn in the Segment Editor
    (review_state.is_drawn). Empty where nothing of this is there: a label image can come from anyone, and a judgement
    does not say who made it.

    Slicer gives a segment a terminology whether somebody draws it or another extension finds it, so that this says
    nothing.
    """
    stated = segment.tags.get(ALGORITHM_TYPE_TAG, "").strip().upper()
    if stated not in GENERATION_ALGORITHMS:
        drawn = MANUAL if is_drawn(segment.tags) else ""
        stated = AUTOMATIC if MODEL_TAG in segment.tags else drawn
    return SEMIAUTOMATIC if stated == AUTOMATIC and is_edited else stated


def _union_algorithm(algorithms: set[str]) -> str:
    """SEMIAUTOMATIC where both a machine and a hand had a part in it; an unknown part leaves open which others had."""
    if len(algorithms) == 1:
        return next(iter(algorithms))
    known = algorithms - {""}
    return SEMIAUTOMATIC if SEMIAUTOMATIC in known or len(known) > 1 else ""


def _algorithm_name(segment: Segment) -> str:
    """Never empty: DICOM SEG wants a name wherever a machine had a part in it (PS3.3 section C.8.20.2)."""
    model = segment.tags.get(MODEL_TAG, "").strip()
    named = segment.tags.get(ALGORITHM_NAME_TAG, "").strip() or segment.origin.strip()
    name = named or (ALGORITHM_NAME if model else _UNKNOWN)
    return f"{name} {model}".strip()[:LONGEST_TEXT]


def _models(segment: Segment) -> tuple[str, ...]:
    model = segment.tags.get(MODEL_TAG, "").strip()
    if not model:
        stated = _OWN_ORIGIN.fullmatch(segment.origin)
        model = stated["model"].strip() if stated is not None else ""
    return () if model in ("", BODY_OUTLINE) else (model,)


def _origin(segment: Segment, algorithm: str) -> str:
    if algorithm in ("", MANUAL):
        return _BY_HAND if algorithm else ORIGIN_UNKNOWN
    model = segment.tags.get(MODEL_TAG, "").strip()
    if not model:
        return segment.tags.get(ALGORITHM_NAME_TAG, "").strip() or _UNKNOWN
    return f"{model}, {ALGORITHM_NAME} {segment.tags.get(_VERSION_TAG, '')}".rstrip()
