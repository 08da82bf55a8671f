"""Writes the table over all structures of all CTs, as Parquet and as CSV."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

from TotalSegmentatorWire import ALGORITHM_NAME, ENGINE_VERSION

from TotalSegmentatorEngine.batch.store.outcome import Outcome
from TotalSegmentatorEngine.batch.table.structure_rows import COLUMNS, rows_of
from TotalSegmentatorEngine.export.files.data_table import TableWriter, in_blocks
from TotalSegmentatorEngine.imaging.atomic_file import atomic_file

PARQUET, CSV = "structures.parquet", "structures.csv"
_ROWS_AT_ONCE = 20_000
"""In memory, and in a row group of the Parquet file: that many from about 200 CTs."""
_ABOUT = {
    "software": f"{ALGORITHM_NAME} {ENGINE_VERSION}",
    "names of columns": "github.com/ImagingDataCommons/CloudSegmentatorResults, release 0.0.1, "
    "qual_checks_and_quantitative_measurements.parquet",
}


def write_tables(
    folder: Path, outcomes: Iterable[Outcome], series_uids: Mapping[str, str] | None = None
) -> tuple[Path, Path]:
    """A row for each structure, in the order of ``outcomes`` (``BatchFolder.outcomes``: by their ids). Both files
    appear, or none. Returns them.

    ``series_uids``: Series Instance UIDs by id, where the user wants them in the table.
    Raises SegmentationError: OUTPUT_NOT_WRITABLE, DISK_FULL.
    """
    uids = series_uids or {}
    paths = folder / CSV, folder / PARQUET
    with ExitStack() as files:
        streams = [files.enter_context(atomic_file(path)) for path in paths]
        with TableWriter(*streams, COLUMNS, _ABOUT) as table:
            rows = (list(rows_of(outcome, uids.get(outcome.id))) for outcome in outcomes)
            for block in in_blocks(rows, _ROWS_AT_ONCE):
                table.write(block)
    return paths
