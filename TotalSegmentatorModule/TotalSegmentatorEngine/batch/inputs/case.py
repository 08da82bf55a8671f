"""One CT of a run, and where its files are. Small, and fit to be sent to another process that sees the same files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from TotalSegmentatorWire.errors.problem import Problem, SegmentationError

from TotalSegmentatorEngine.batch.store.input_table import InputRow
from TotalSegmentatorEngine.dicom_series.headers import read_header
from TotalSegmentatorEngine.series_selection.series_choice import SelectedSeries, SeriesChoice

ID_DIGITS = 12


@dataclass(frozen=True)
class Case:
    id: str
    """The first ID_DIGITS of ``digest``."""
    digest: str
    """SHA-256 in hexadecimal; see digests.py."""
    path: Path
    """An image file, or the folder in which, or below which, the files of a DICOM series lie."""
    series: str | None = None
    """Of DICOM: the Series Instance UID."""
    files: tuple[str, ...] = ()
    """Of DICOM: the files of this CT alone, relative to ``path``; none for an image file."""
    frames: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """Of multi-frame files that hold several CTs: a file, and its frames that belong to this one, from 0."""
    warnings: tuple[Problem, ...] = ()
    """What the search has found odd."""
    problem: Problem | None = None
    """Why the CT cannot be used, where the search has shown it."""

    @property
    def is_dicom(self) -> bool:
        return bool(self.files)

    def select(self, path: Path, choice: SeriesChoice) -> SelectedSeries:
        """The headers of this CT's files, read anew; a ``series_choice.Select`` that asks for nothing else.

        Raises SegmentationError: INPUT_SLICE_UNUSABLE, INPUT_UNREADABLE for a file that has gone.
        """
        wanted = {name: frozenset(numbers) for name, numbers in self.frames}
        slices = []
        for name in self.files:
            headers = read_header(self.path / name)
            if not headers:
                raise SegmentationError("INPUT_UNREADABLE", file=Path(name).name)
            slices += [header for header in headers if name not in wanted or header.frame in wanted[name]]
        return SelectedSeries(slices)


@dataclass(frozen=True)
class FoundInputs:
    """What the words of the command line have led to."""

    cases: tuple[Case, ...] = ()
    """Each CT once, in the order in which it was found."""
    passed_over: dict[str, int] = field(default_factory=dict)
    """How many files or series were passed over, by what they are."""
    problems: tuple[tuple[Path, Problem], ...] = ()
    """What cannot be looked at: a folder that cannot be opened, a row of a list that leads nowhere."""
    copies: int = 0
    """How many CTs were found in another place, too."""
    rows: tuple[InputRow, ...] = ()
    """For ``private/inputs.csv``."""
