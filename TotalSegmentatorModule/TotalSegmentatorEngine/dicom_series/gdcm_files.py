"""Files as GDCM can open them.

SimpleITK takes no file name that is not UTF-8, such as those of old discs. GDCM takes no file that lacks the preamble
but has the File Meta Information behind it, as some scanners store them. Links and copies stand for such files.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from TotalSegmentatorEngine.dicom_series.recognition import with_preamble
from TotalSegmentatorEngine.imaging.itk_names import is_for_itk


@contextmanager
def openable(paths: Sequence[Path]) -> Iterator[list[str] | None]:
    """Names by which GDCM can open ``paths``, in their order, while the block lasts; None where nothing stands in its
    way. Raises OSError."""
    if not any(not is_for_itk(path) or _whole(path) is not None for path in paths):
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        names = []
        for number, path in enumerate(paths):
            stand_in = Path(folder, f"{number}.dcm")
            whole = _whole(path)
            if whole is not None:
                stand_in.write_bytes(whole)
            elif not is_for_itk(path):
                stand_in.symlink_to(path.resolve())
            else:
                stand_in = path
            names.append(str(stand_in))
        yield names


def _whole(path: Path) -> bytes | None:
    """The file with a preamble, None where it has one or needs none."""
    with path.open("rb") as stream:
        if not with_preamble(stream.read(4)):
            return None
        stream.seek(0)
        return with_preamble(stream.read())
