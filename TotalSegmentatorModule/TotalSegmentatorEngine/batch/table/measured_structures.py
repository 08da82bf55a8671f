"""What is kept of each structure that a job has found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from TotalSegmentatorWire.messages.review import Flag, Level
from TotalSegmentatorWire.messages.segment import FoundStructure

from TotalSegmentatorEngine.batch.store.outcome import StructureOutcome
from TotalSegmentatorEngine.statistics.structure_statistics import with_percentiles

PERCENTS = (5, 10, 25, 50, 75, 90, 95)
"""The 10th and the 90th are those that the Imaging Data Commons has."""
CUT_RULE = "cut_by_scan"
"""Of all structures in which the scan ends."""
_DIGITS = 2


def measured_structures(
    found: Sequence[FoundStructure],
    layers: Sequence[np.ndarray],
    ct: np.ndarray,
    flags: Sequence[Flag],
    profiles: Mapping[str, str],
    on_structure: Callable[[], None] = lambda: None,
) -> tuple[StructureOutcome, ...]:
    """In the order of layers and labels. ``found``: with volumes and mean HU, as ``run_job`` gives them; ``layers``:
    each uint8 (k, j, i); ``ct``: HU, of the same shape; ``profiles``: ids, by model. ``on_structure`` is called before
    each; it may raise to stop."""
    ordered = sorted(found, key=lambda structure: (structure.layer, structure.label))
    outcomes = []
    for structure, values in with_percentiles(ordered, layers, ct, PERCENTS, on_structure):
        own = [flag for flag in flags if flag.structure == structure.name]
        outcomes.append(_outcome(structure, profiles.get(structure.model, ""), values, own))
    return tuple(outcomes)


def _outcome(
    structure: FoundStructure, profile: str, values: Sequence[float], flags: Sequence[Flag]
) -> StructureOutcome:
    ranked = sorted(flags, key=lambda flag: Level.FROM_WORST.index(flag.level))
    return StructureOutcome(
        name=structure.name,
        label=structure.label,
        layer=structure.layer,
        model=structure.model,
        profile=profile,
        voxels=structure.voxels,
        volume_ml=structure.volume_ml or 0.0,
        mean_hu=structure.mean_hu,
        percentiles_hu={str(percent): round(value, _DIGITS) for percent, value in zip(PERCENTS, values, strict=False)},
        is_cut=any(flag.rule == CUT_RULE for flag in ranked),
        flags=tuple(dict.fromkeys(flag.rule for flag in ranked)),
        level=ranked[0].level if ranked else "",
    )
