"""The page about the further anatomies has the tables that the catalogue gives."""

from __future__ import annotations

import make_anatomies_table
from TotalSegmentatorWire.tables.catalogue import licensed_tasks, read_catalogue


def test_the_tables_of_the_page_are_those_of_the_catalogue():
    page = make_anatomies_table.PAGE.read_text(encoding="utf-8")
    assert page == make_anatomies_table.with_tables(page), "run Testing/make_anatomies_table.py"
    for name in [*licensed_tasks(), *(name for name, model in read_catalogue().items() if model.is_task)]:
        assert page.count(f"\n| `{name}` |") == 1
