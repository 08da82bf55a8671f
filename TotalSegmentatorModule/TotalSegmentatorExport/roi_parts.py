"""What is known of a segment, or of a union of segments, before it gets the name under which it goes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from TotalSegmentatorWire import ALGORITHM_NAME
from TotalSegmentatorWire.result_tags import PREFIX
from TotalSegmentatorWire.review_state import ReviewState, review_state, worst

from .naming import LONGEST_TEXT
from .placement import PlacedSegmentation
from .roi import GENERATION_ALGORITHMS, RoiCodes
from .roi_codes import codes_of, union_codes
from .segments import Segment
from .voxel_mask import VoxelMask, union

AUTOMATIC, SEMIAUTOMATIC, MANUAL = GENERATION_ALGORITHMS

_ALGORITHM_TYPE_TAG = "DICOM.SegmentAlgorithmType"
_ALGORITHM_NAME_TAG = "DICOM.SegmentAlgorithmName"
_MODEL_TAG = PREFIX + "Model"
_VERSION_TAG = PREFIX + "Version"

_CUT = ".."
_UNKNOWN = "Unknown algorithm"


@dataclass(frozen=True)
class Part:
    """A segment on the grid, or several of them together."""

    sources: tuple[str, ...]
    """Ids of the segments."""
    colour: tuple[int, int, int]
    codes: RoiCodes | None
    review_state: ReviewState
    algorithm: str
    """One of GENERATION_ALGORITHMS."""
    algorithm_name: str
    origin: str
    """Model and version, or who else made it."""
    is_cut: bool
    """True where it reaches the border of the CT; of a union also where parts of it are not there."""
    is_empty: bool
    voxels: Callable[[], VoxelMask]
    expected: int = 1
    """Parts that a union is made of where all are there."""
    present: int = 1

    @property
    def description(self) -> str:
        """Where it comes from, at most 64 characters; a union says first that it was constructed."""
        if self.expected == 1:
            return _fitted("", self.origin)
        count = f"{self.present}" if self.present == self.expected else f"{self.present} of {self.expected}"
        return _fitted(f"Constructed of {count}; ", self.origin)


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
    algorithm = _algorithm(segment, is_edited or state is ReviewState.EDITED)
    return Part(
        sources=(segment.id,),
        colour=segment.colour,
        codes=codes_of(segment.tags, segment.structure),
        review_state=state,
        algorithm=algorithm,
        algorithm_name="" if algorithm == MANUAL else _algorithm_name(segment),
        origin="Drawn by hand" if algorithm == MANUAL else _origin(segment),
        is_cut=box is not None and _touches_border(box, placed.grid.shape),
        is_empty=box is None,
        voxels=lambda: placed.mask(segment),
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
    return Part(
        sources=tuple(dict.fromkeys(source for part in filled for source in part.sources)),
        colour=filled[0].colour,
        codes=union_codes([part.codes for part in filled]) if len(filled) == expected else None,
        review_state=worst(part.review_state for part in filled),
        algorithm=_union_algorithm({part.algorithm for part in filled}),
        algorithm_name=", ".join(names)[:LONGEST_TEXT],
        origin=", ".join(dict.fromkeys(part.origin for part in filled)),
        is_cut=len(filled) < expected or any(part.is_cut for part in filled),
        is_empty=False,
        voxels=lambda: union([part.voxels() for part in filled]),
        expected=sum(part.expected for part in parts) + absent,
        present=sum(part.present for part in filled),
    )


def _touches_border(box: tuple[slice, slice, slice], shape: tuple[int, int, int]) -> bool:
    return any(part.start <= 0 or part.stop >= size for part, size in zip(box, shape, strict=True))


def _algorithm(segment: Segment, is_edited: bool) -> str:
    """Without a tag that tells it a segment was drawn by hand, unless a model made it: ours, or that of a label image.

    A label image has no tags, while Slicer gives a segment that somebody draws a terminology at least.
    """
    told = segment.tags.get(_ALGORITHM_TYPE_TAG, "").strip().upper()
    if told not in GENERATION_ALGORITHMS:
        is_of_label_image = segment.structure is not None and not segment.tags
        told = AUTOMATIC if _MODEL_TAG in segment.tags or is_of_label_image else MANUAL
    return SEMIAUTOMATIC if told == AUTOMATIC and is_edited else told


def _union_algorithm(algorithms: set[str]) -> str:
    return algorithms.pop() if len(algorithms) == 1 else SEMIAUTOMATIC


def _algorithm_name(segment: Segment) -> str:
    """Never empty: DICOM SEG wants a name wherever a machine had a part in it (PS3.3 section C.8.20.2)."""
    model = segment.tags.get(_MODEL_TAG, "").strip()
    name = segment.tags.get(_ALGORITHM_NAME_TAG, "").strip() or (ALGORITHM_NAME if model else _UNKNOWN)
    return f"{name} {model}".strip()[:LONGEST_TEXT]


def _origin(segment: Segment) -> str:
    model = segment.tags.get(_MODEL_TAG, "").strip()
    if not model:
        return segment.tags.get(_ALGORITHM_NAME_TAG, "").strip() or _UNKNOWN
    return f"{model}, {ALGORITHM_NAME} {segment.tags.get(_VERSION_TAG, '')}".rstrip()
