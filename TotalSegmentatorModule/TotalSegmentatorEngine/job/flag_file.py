"""The flags as a JSON file beside a result."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from TotalSegmentatorWire.messages.review import Flag
from TotalSegmentatorWire.tables.review_rules import flags_to_json

from TotalSegmentatorEngine.imaging.atomic_file import atomic_file


def write_flags(path: Path, flags: Iterable[Flag]) -> None:
    """What ``review --json`` prints. Raises SegmentationError: OUTPUT_NOT_WRITABLE, DISK_FULL."""
    text = flags_to_json(flags).encode("utf-8")
    with atomic_file(path, len(text)) as stream:
        stream.write(text)


def flag_file_beside(result: Path) -> Path:
    """``organs.seg.nrrd`` has its flags in ``organs.review.json``."""
    name = result.name
    for suffix in (".seg.nrrd", ".nii.gz"):
        if name.lower().endswith(suffix):
            return result.with_name(name[: -len(suffix)] + ".review.json")
    return result.with_name(result.stem + ".review.json")
