"""A segmentation that somebody has corrected in the output folder is kept when its CT is done again."""

from __future__ import annotations

import hashlib
import itertools
import shutil
from pathlib import Path

from TotalSegmentatorEngine.imaging.durable_file import sync_file

_BLOCK_BYTES = 1 << 20


def file_digest(path: Path) -> str:
    """SHA-256 in hexadecimal; empty where there is no file. Raises OSError."""
    total = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK_BYTES):
                total.update(block)
    except FileNotFoundError:
        return ""
    return total.hexdigest()


def keep_if_edited(segmentation: Path, written: str, draft: Path) -> bool:
    """Whether somebody has edited the file; it then has a copy beside it, ``segmentation.edited.seg.nrrd`` for
    ``segmentation.seg.nrrd``, or ``.edited-2`` and so on.

    ``written``: the digest of what was written there, empty if that is unknown. ``draft``: the folder of the files that
    take the place of the old ones. Raises OSError.
    """
    present = file_digest(segmentation)
    if present in ("", written, file_digest(draft / segmentation.name)):
        return False
    numbered = (_kept_path(segmentation, number) for number in itertools.count(1))
    kept = next(path for path in numbered if file_digest(path) in ("", present))
    if not kept.exists():  # a kill may have left it
        copy = draft / kept.name
        shutil.copyfile(segmentation, copy)
        sync_file(copy)
        copy.replace(kept)
    return True


def _kept_path(segmentation: Path, number: int) -> Path:
    stem, _, suffixes = segmentation.name.partition(".")
    return segmentation.with_name(f"{stem}.edited{'' if number == 1 else f'-{number}'}.{suffixes}")
