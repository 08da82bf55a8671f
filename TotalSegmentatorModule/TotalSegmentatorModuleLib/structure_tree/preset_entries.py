"""The presets of the program and the user's own, as entries of the list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from slicer.i18n import tr as _
from TotalSegmentatorWire.choice.own_presets import row_of_structure
from TotalSegmentatorWire.choice.presets import BY_HAND, LICENCE, MODEL, WHOLE_BODY, Preset, PresetRow, read_presets
from TotalSegmentatorWire.tables.structures import known_structures

from TotalSegmentatorModuleLib.structure_tree.preset_choice import OWN, PresetNames


@cache
def preset_entries() -> tuple[PresetNames, ...]:
    """The program's own, without the whole body, which is the list's first entry."""
    return tuple(_entry(preset.id, preset) for preset in read_presets().values() if preset.id != WHOLE_BODY)


def own_entries(presets: Mapping[str, Preset]) -> tuple[PresetNames, ...]:
    """The user's own, by their titles."""
    return tuple(_entry(OWN + title, preset) for title, preset in presets.items())


def preset_rows(entry: str, own: Mapping[str, Preset]) -> tuple[PresetRow, ...]:
    """The rows of an entry's preset; none for other entries of the list."""
    preset = own.get(entry[len(OWN) :]) if entry.startswith(OWN) else read_presets().get(entry)
    return preset.rows if preset is not None and not preset.whole_family else ()


def rows_to_save(names: Iterable[str], rows: Iterable[PresetRow]) -> tuple[PresetRow, ...]:
    """The rows of a new preset of the structures ``names``. It keeps what ``rows``, those of the preset that is chosen,
    say about what is not just a structure."""
    kept = tuple(row for row in rows if row.kind in (LICENCE, BY_HAND) or row.kind != MODEL or len(row.names) != 1)
    named = {name for row in kept if row.kind == MODEL for name in row.names}
    single = (name for name in names if name in known_structures() and name not in named)
    return (*map(row_of_structure, single), *kept)


def _entry(entry: str, preset: Preset) -> PresetNames:
    names = tuple(name for name in preset.structures if name in known_structures())
    count = _("1 structure") if len(names) == 1 else _("{count} structures").format(count=len(names))
    description = preset.description.rstrip(".")
    return PresetNames(entry, preset.title, names, "{}: {}".format(description, count) if description else count)
