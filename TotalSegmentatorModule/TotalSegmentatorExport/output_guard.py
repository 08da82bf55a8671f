"""Keeps what is read from being written over, and files that nobody named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from TotalSegmentatorWire.errors import SegmentationError


def check_outputs(outputs: Mapping[str, Path | None], inputs: Sequence[Path | None]) -> None:
    """``outputs``: what each file is called, and where it goes. ``inputs``: files, and folders none of whose files may
    be replaced, such as that of the CT.

    Raises SegmentationError: EXPORT_WOULD_OVERWRITE, OUTPUT_NOT_WRITABLE for a name that the system cannot hold.
    """
    try:
        _check(outputs, inputs)
    except OSError as error:
        raise SegmentationError("OUTPUT_NOT_WRITABLE") from error


def _check(outputs: Mapping[str, Path | None], inputs: Sequence[Path | None]) -> None:
    read = [path for path in inputs if path is not None and path.exists()]
    written = {name: path for name, path in outputs.items() if path is not None}
    for name, path in written.items():
        if path.is_file() and any(_is_part(path, source) for source in read):
            raise SegmentationError("EXPORT_WOULD_OVERWRITE", file=name)
    places = [path.resolve() for path in written.values()]
    for name, path in written.items():
        if places.count(path.resolve()) > 1:
            raise SegmentationError("EXPORT_WOULD_OVERWRITE", file=name)


def _is_part(path: Path, source: Path) -> bool:
    if source.is_dir():
        return source.resolve() in path.resolve().parents
    return path.samefile(source)
