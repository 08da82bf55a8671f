"""Writes the tables of docs/anatomies.md from the catalogue: ``python Testing/make_anatomies_table.py``.

What stands around the tables is written by hand; a test compares the committed tables with what this makes.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "TotalSegmentatorModule"))

from TotalSegmentatorWire.tables.catalogue import (  # noqa: E402 - found through the line above
    CatalogueModel,
    licensed_tasks,
    read_catalogue,
)
from TotalSegmentatorWire.tables.structures import structure_table  # noqa: E402

PAGE = REPOSITORY / "docs" / "anatomies.md"
_HEADS = ("Model", "What it finds", "Structures", "Voxels in mm", "Cropped by", "Download", "Remarks")


def tasks_table() -> str:
    """One row for each task, as Markdown."""
    rows = [_row(model) for model in read_catalogue().values() if model.is_task]
    return "\n".join(["| " + " | ".join(row) + " |" for row in (_HEADS, ["---"] * len(_HEADS), *rows)])


def licensed_table() -> str:
    """The tasks that need a licence."""
    rows = [(f"`{task.id}`", ", ".join(task.structures)) for task in licensed_tasks().values()]
    return "\n".join(["| Task | Structures |", "| --- | --- |", *("| {} | {} |".format(*row) for row in rows)])


def with_tables(page: str) -> str:
    """The page with its tables made anew."""
    for name, table in (("tasks", tasks_table()), ("licensed", licensed_table())):
        begin, end = f"<!-- {name}: made by Testing/make_anatomies_table.py -->", f"<!-- end of {name} -->"
        page = re.sub(re.escape(begin) + ".*?" + re.escape(end), f"{begin}\n\n{table}\n\n{end}", page, flags=re.DOTALL)
    return page


def _row(model: CatalogueModel) -> tuple[str, ...]:
    sizes = [part.bytes for part in model.parts]
    voxels = "by its plans"
    if model.resample_mm is not None:
        lengths = sorted({f"{length:.3g}" for length in model.resample_mm})
        voxels = " x ".join(f"{length:.3g}" for length in model.resample_mm) if len(lengths) > 1 else lengths[0]
    return (
        f"`{model.id}`",
        model.title,
        str(len(structure_table(model.structures))),
        voxels,
        "-" if model.crop is None else f"`{model.crop.model}`",
        "size not published" if None in sizes else f"{sum(sizes) / 1e6:.0f} MB",
        " ".join(filter(None, ["Trained with few images." if model.small_training_set else "", model.note])),
    )


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
