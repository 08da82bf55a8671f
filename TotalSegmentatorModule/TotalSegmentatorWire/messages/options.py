"""How a job is to be run, beside what is to be segmented: the user's choices, with the defaults that fit most.

Both sides and the command line use this one definition; the labels, if any, that a choice changes stand beside it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from TotalSegmentatorWire.errors.problem import SegmentationError

GRAPHICS_RUNTIME = "openvino-gpu"
RUNTIMES = ("auto", "openvino", GRAPHICS_RUNTIME, "eager", "compiled")
"""What computes a network: OpenVINO on the processor or on Intel's graphics processor, PyTorch as it is, PyTorch
compiled (needs a C++ compiler); auto: the fastest."""

PRECISIONS = ("auto", "exact", "published", "reduced")
"""exact: float32 throughout. published: what nnU-Net does on the device (float32 on a CPU, float16 where PyTorch's
autocast allows it on a GPU). reduced: bfloat16 on a CPU that has it, float16 on a GPU; labels differ a little.
auto: exact on a CPU and on Apple's GPU, published on CUDA. In a long run on a CPU that has bfloat16 it is reduced where
that is clearly faster and a few tiles of the CT at hand show that at least 99.5 % of the foreground is equal; the
result says so, and without ``self_check`` it never is."""

CROPS = ("none", "body", "whole")
"""none: the whole image, or where only some structures are wanted the region in which these can be. body: each part
model only where its structures can be; labels differ a little. whole: the whole image, whatever is wanted."""

SECOND_OPINIONS = ("auto", "on", "off")
"""Whether an installed coarser model runs, too, so that the review shows where the two differ. auto: where that takes
little time beside the job."""


@dataclass(frozen=True)
class JobOptions:
    """The choices of one job. Raises SegmentationError("BAD_REQUEST") for a value that does not exist."""

    runtime: str = "auto"
    precision: str = "auto"
    crop: str = "none"
    profile: str | None = None
    """Id of another profile than the model's own default, such as its pipeline exactly as published."""
    smooth: bool = False
    """Boundaries between the voxels of the model's spacing are interpolated on the CT's grid; else nearest voxel."""
    largest_piece: bool = False
    """Of each structure only the largest connected piece stays."""
    smallest_island_mm3: float = 0.0
    """Connected pieces of a structure below this volume (mm3) are removed; 0 removes none."""
    second_opinion: str = "auto"
    """Only of results that are reviewed."""

    self_check: bool = True
    """Where labels are approximate, a few tiles are computed exactly, too, and the result says how well both agree."""
    least_agreement: float = 0.98
    """Share of the foreground, 0..1: where fewer voxels have their exact label, the job warns."""
    preview: bool = False
    """Of each fine model whose fast one is installed, the result of that is shown first (choice/preview_models.py);
    only by the resident worker. The labels of the result are the same."""

    accept_size: bool = False
    """Voxel sizes or a field of view that no CT of a person has are not refused."""

    def __post_init__(self) -> None:
        for name, known in (
            ("runtime", RUNTIMES),
            ("precision", PRECISIONS),
            ("crop", CROPS),
            ("second_opinion", SECOND_OPINIONS),
        ):
            if getattr(self, name) not in known:
                raise SegmentationError("BAD_REQUEST", detail=name)
        if not self.smallest_island_mm3 >= 0:
            raise SegmentationError("BAD_REQUEST", detail="smallest_island_mm3")
        if not 0 <= self.least_agreement <= 1:
            raise SegmentationError("BAD_REQUEST", detail="least_agreement")

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def options_from_json(fields: dict[str, Any]) -> JobOptions:
    """The options that ``to_json`` wrote. Raises SegmentationError("BAD_REQUEST")."""
    try:
        return JobOptions(**fields)
    except TypeError as error:
        raise SegmentationError("BAD_REQUEST", detail="options") from error
