"""File names that SimpleITK takes: it refuses those that are not UTF-8, such as those of old discs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def is_for_itk(path: Path) -> bool:
    """False for a name that SimpleITK cannot be given. Such names exist on Linux and macOS only."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        return os.name != "posix"
    return True


@contextmanager
def itk_name(path: Path) -> Iterator[str]:
    """``path``, or a link to it with another name and the same ending, while the block lasts. Raises OSError."""
    if is_for_itk(path):
        yield str(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        suffixes = "".join(path.suffixes[-2:])
        link = Path(folder, "image" + suffixes.encode("ascii", "ignore").decode("ascii"))
        link.symlink_to(path.resolve())
        yield str(link)
