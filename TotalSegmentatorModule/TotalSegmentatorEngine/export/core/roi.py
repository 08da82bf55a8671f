"""What goes out: a named structure with its codes, its review state and its voxels on the CT's grid."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from TotalSegmentatorWire.tables.review_state import REVIEW_STATE_TAG, SLICER_STATUS_TAG, ReviewState

from TotalSegmentatorEngine.export.core.codes import RoiCodes
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask

GENERATION_ALGORITHMS = ("AUTOMATIC", "SEMIAUTOMATIC", "MANUAL")
"""PS3.3 C.8.8.5, ROI Generation Algorithm; AUTOMATIC until somebody edits it."""

AUTOMATIC, SEMIAUTOMATIC, MANUAL = GENERATION_ALGORITHMS

ORIGIN_UNKNOWN = "Origin unknown"
"""What a description says where nothing says who made a structure."""

BODY_OUTLINE = "Body outline"
"""What the description of the outline that an export makes begins with."""


@dataclass(frozen=True)
class Roi:
    """One structure of an export. Masks are made when they are asked for: a hundred of them need not be in memory."""

    number: int
    """ROI Number or segment number, from 1 in the order of the export."""
    name: str
    """As it goes out: unique in its export ignoring case."""
    description: str
    """Model, version and whether it was constructed; at most 64 characters."""
    colour: tuple[int, int, int]
    """0..255 per channel."""
    interpreted_type: str
    """RT ROI Interpreted Type, PS3.3 C.8.8.8.1: ORGAN, EXTERNAL, AVOIDANCE, ..., or empty."""
    algorithm: str
    """One of GENERATION_ALGORITHMS, empty where nobody knows."""
    algorithm_name: str
    """Of the model, for DICOM SEG; empty where a hand drew it or nobody knows."""
    codes: RoiCodes | None
    review_state: ReviewState
    is_cut: bool
    """True where it reaches the border of the CT, or of the part of the CT on which it was made."""
    sources: tuple[str, ...]
    """Ids of the segments that it is made of, more than one for a union; empty for the body outline."""
    voxels: Callable[[], VoxelMask]
    """Makes the mask on the CT's grid; it has at least one voxel."""
    models: tuple[str, ...] = ()
    """Of this program, by which it was computed; empty where it comes from elsewhere."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Of the segment: how it was made, on which CT, and a digest of the voxels; of a union what its parts share."""

    structure: str = ""
    """Its name in the label tables; empty for what has none there, and for a union."""

    @property
    def is_constructed(self) -> bool:
        return len(self.sources) > 1

    @property
    def is_edited(self) -> bool:
        """Computed by a model, and changed by hand since."""
        return bool(self.models) and self.algorithm == SEMIAUTOMATIC

    @property
    def is_drawn(self) -> bool:
        return not self.models and self.algorithm == MANUAL

    @property
    def has_review(self) -> bool:
        """Whether somebody looked at it, or its tags say that nobody did."""
        tags = {REVIEW_STATE_TAG, SLICER_STATUS_TAG}
        return self.review_state is not ReviewState.UNREVIEWED or not tags.isdisjoint(self.tags)

    @property
    def is_approved(self) -> bool:
        return self.review_state is ReviewState.APPROVED
