"""The export template of a preset: its structures in its order, with its unions and what it derives."""

from __future__ import annotations

from collections.abc import Iterator

from TotalSegmentatorWire.choice.presets import DERIVED, MODEL, UNION, Preset, PresetRow, codes_by_name

from TotalSegmentatorEngine.export.rois.template_schema import DEFAULT_BODY, Entry, Template, codes_of_json
from TotalSegmentatorEngine.export.rois.tg263_names import name_key

_TARGETS = tuple(Entry(source=f"{kind}*", interpreted_type=kind) for kind in ("GTV", "CTV", "PTV"))


def template_of_preset(preset: Preset, standard_unions: frozenset[str]) -> Template:
    """Targets first, then the preset's rows, then the structures that help to draw. ``standard_unions``: name_keys of
    the unions that any template can name.

    What somebody drew under the TG-263 name of a row that no model finds goes out in its place.
    """
    entries: dict[str, Entry] = {}
    for row in preset.rows:
        for entry in _entries(row, standard_unions):
            entries.setdefault(name_key(entry.name or entry.source), entry)
    used = {name for row in preset.rows for name in row.names}
    for name in (name for row in preset.rows for name in row.helpers):
        if name not in used:
            entries.setdefault(name_key(name), Entry(source=name, is_optional=True))
    return Template(preset.title, preset.description, (*_TARGETS, *entries.values()), DEFAULT_BODY)


def _entries(row: PresetRow, standard_unions: frozenset[str]) -> Iterator[Entry]:
    if row.kind == MODEL:
        yield from (Entry(source=name) for name in row.names)
    elif row.kind == UNION and name_key(row.tg263_name) in standard_unions:
        yield Entry(source=row.tg263_name)
    elif row.kind in (UNION, DERIVED):
        codes = codes_by_name().get(row.tg263_name)
        yield Entry(
            name=row.tg263_name,
            union_of=row.names,
            step=row.step,
            codes=None if codes is None else codes_of_json({"codes": codes}, row.tg263_name),
        )
    elif row.tg263_name:
        yield Entry(source=row.tg263_name, is_optional=True)
