"""The tags that say how a segment was made; the same in Slicer's scene and in a file of the command line."""

from __future__ import annotations

import hashlib
from typing import Any

PREFIX = "TotalSegmentatorModule."
CT_SERIES_TAG = PREFIX + "CtSeries"
AGREEMENT_TAG = PREFIX + "Agreement"
"""What a check of approximate labels found (TotalSegmentatorWire.agreement.kept)."""
PREVIEW_TAG = PREFIX + "Preview"
"""Of a segment that a fast model has found while a fine one ran, whose result has not taken its place."""
PREVIEW_MARK = "1"
"""The tag's value."""
OPTION_TAGS = {
    "Runtime": "runtime",
    "Precision": "precision",
    "Crop": "crop",
    "Smooth": "smooth",
    "LargestPiece": "largest_piece",
    "SmallestIslandMm3": "smallest_island_mm3",
}
"""Tags without their prefix, and the options of JobOptions that they keep."""


def provenance_tags(
    model: str,
    profile: str,
    version: str,
    options: dict[str, Any],
    series_instance_uid: str | None = None,
    seconds: float | None = None,
    device: str = "",
    agreement: str = "",
) -> dict[str, str]:
    """Tag names to values.

    ``options`` is JobOptions.to_json() with the runtime and precision that were really used (ResultHeader.options); an
    option that it lacks makes no tag. Numbers are in the units of JobOptions, yes and no are "true" and "false".
    ``seconds`` is the time of the whole job, ``device`` what ran it, ``agreement`` what
    ``agreement_tag`` makes; unknown ones make no tag.
    The CT's Series Instance UID becomes a digest: enough to notice another CT, and no identifier in the file.
    """
    tags = {"Model": model, "Profile": profile, "Version": version}
    for name, option in OPTION_TAGS.items():
        if option in options:
            tags[name] = _text(options[option])
    if seconds is not None:
        tags["Seconds"] = f"{seconds:.1f}"
    if device:
        tags["Device"] = device
    named = {PREFIX + name: value for name, value in tags.items()}
    if agreement:
        named[AGREEMENT_TAG] = agreement
    return named | {CT_SERIES_TAG: series_digest(series_instance_uid)} if series_instance_uid else named


def series_digest(series_instance_uid: str) -> str:
    """Names a series without its identifier."""
    return hashlib.sha256(series_instance_uid.encode("utf-8")).hexdigest()[:16]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)
