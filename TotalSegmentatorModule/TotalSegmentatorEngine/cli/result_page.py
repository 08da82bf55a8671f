"""What the command ``segment`` says of its result: a few lines, or JSON for programs."""

from __future__ import annotations

from typing import Any

from TotalSegmentatorWire.agreement.words import agreement_details, agreement_line, is_below
from TotalSegmentatorWire.messages.segment import FoundStructure
from TotalSegmentatorWire.tables.review_rules import flags_to_object

from TotalSegmentatorEngine.job.task import SegmentationResult
from TotalSegmentatorEngine.review.printed_page import headline


def result_text(result: SegmentationResult) -> str:
    """A few lines: what was found, how it was computed, what is absent, how well approximate labels agree with the
    exact ones, and what the review says."""
    asked = len(result.found) + len(result.absent)
    how = ", ".join((*result.models, result.device, result.options.runtime, result.options.precision))
    lines = [f"{len(result.found)} of {asked} structures found in {result.seconds:.0f} s ({how})."]
    if result.absent:
        lines.append(f"Not found in this CT: {', '.join(result.absent)}")
    if result.agreement is not None:
        lines.append(agreement_line(result.agreement))
        lines += [f"  {sentence}" for sentence in agreement_details(result.agreement)]
        if is_below(result.agreement):
            lines.append("  For the exact labels: --precision exact --crop whole")
    if result.flags is not None:
        lines.append(f"Review: {headline(result.flags)}.")
    return "\n".join(lines)


def result_json(result: SegmentationResult) -> dict[str, Any]:
    """For ``json.dumps``: volumes in ml, CT numbers in HU, shares 0..1, ``seconds`` of the whole job. ``agreement`` is
    null where the labels are exact or were not checked, ``review`` where nothing was reviewed."""
    return {
        "models": result.models,
        "profiles": result.profiles,
        "device": result.device,
        "seconds": round(result.seconds, 3),
        "options": result.options.to_json(),
        "structures": [_structure(found, result) for found in result.found],
        "absent": result.absent,
        "agreement": None if result.agreement is None else result.agreement.to_json(),
        "review": None if result.flags is None else flags_to_object(result.flags),
    }


def _structure(found: FoundStructure, result: SegmentationResult) -> dict[str, Any]:
    return {
        "name": found.name,
        "model": result.model_of(found),
        "layer": found.layer,
        "label": found.label,
        "voxels": found.voxels,
        "volume_ml": found.volume_ml,
        "mean_hu": found.mean_hu,
    }
