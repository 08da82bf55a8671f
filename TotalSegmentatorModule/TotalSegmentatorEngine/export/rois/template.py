"""Export templates: which structures go out, in which order, under which names, colours and interpreted types.

A template is a JSON file; those of the product are in Resources/Export, a user's own lies anywhere::

    {
      "version": 1,
      "title": "Lung SBRT",
      "structures": [
        "PTV*",
        "SpinalCord",
        "Lungs",
        {"source": "liver", "name": "Liver", "colour": "#dd8265"},
        {"source": "ring*", "interpreted_type": "CONTROL"},
        {"name": "Bowel", "union_of": ["small_bowel", "colon", "duodenum"]},
        {"name": "Hips", "union_of": ["hip_left", "hip_right"], "needs": "all"}
      ],
      "body": {"name": "BODY", "colour": "#00ff00"}
    }

``structures``, in the order of the export, each a text or an object; a text alone is ``{"source": text}``.

- ``source``: a segment's id or name, or a structure's name ("kidney_left") or TG-263 name ("Kidney_L"), or the name of
  a standard union (Resources/Structures/unions.json) for which there is no segment; neither case nor spaces for
  underscores matter. ``*``, ``?`` and ``[]`` make a pattern: it takes what no other entry names in full and no earlier
  pattern took.
- ``union_of``: such sources; all voxels of them together, under ``name``. Where parts are absent or empty it gets the
  ``~`` of a part, or is left out if ``needs`` is "all" ("any" if not said).
- ``name``: at most 16 characters; without it the structure's own. Not with a pattern. No two entries may have the
  same one, said or not.
- ``colour``: "#rrggbb"; without it the segment's, of a union the first part's.
- ``interpreted_type``: RT ROI Interpreted Type (Resources/Export/interpreted_types.csv); without it the one that the
  template "all" has for such a name (PTV..., bolus..., body), else ORGAN.
- ``codes``: ``category``, ``type``, ``modifier``, ``fma``, each "scheme^value^meaning"; without it those of
  the segment.
- ``optional``: true where nobody needs to hear that the segmentation lacks it.

``body`` names the outline, if one is asked for.

A preset is a template, too: by its id ("rt-thorax"), or the file of a user's own.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from TotalSegmentatorWire.choice.own_presets import FORMAT, preset_from_json
from TotalSegmentatorWire.choice.presets import Preset, read_presets
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.resources import STRUCTURES_FOLDER, TEMPLATES_FOLDER

from TotalSegmentatorEngine.export.rois.preset_template import template_of_preset
from TotalSegmentatorEngine.export.rois.template_schema import ORGAN, Entry, Template, invalid, template_of_json
from TotalSegmentatorEngine.export.rois.tg263_names import name_key

EVERYTHING = "all"
"""The template that is used where none is chosen."""


def known_templates() -> list[str]:
    """Names of the product's own templates, the one with everything first."""
    names = sorted(path.stem for path in TEMPLATES_FOLDER.glob("*.json"))
    return sorted(names, key=lambda name: name != EVERYTHING)


def load_template(name_or_path: str | Path) -> Template:
    """One of known_templates(), a preset by its id, or a file of either.

    Raises SegmentationError("TEMPLATE_UNKNOWN") for a name that neither is known nor looks like a file,
    "TEMPLATE_INVALID" for a file that cannot be read or breaks the format, "PRESET_INVALID".
    """
    known = known_templates()
    if str(name_or_path) in known:
        return _own(str(name_or_path))
    if str(name_or_path) in read_presets():
        return _of_preset(read_presets()[str(name_or_path)])
    path = Path(name_or_path)
    if not path.is_file():
        if path.suffix or len(path.parts) != 1:
            raise invalid("the file does not exist")
        raise SegmentationError(
            "TEMPLATE_UNKNOWN", name=str(name_or_path), known=", ".join(dict.fromkeys([*known, *read_presets()]))
        )
    return _read(path)


def with_structures(template: Template, names: Iterable[str]) -> Template:
    """The template with these structures at its end, where it does not name them itself."""
    there = {name_key(each) for entry in template.entries for each in (entry.name, entry.source) if each}
    more = (Entry(source=name) for name in dict.fromkeys(names) if name_key(name) not in there)
    return dataclasses.replace(template, entries=(*template.entries, *more))


@cache
def standard_unions() -> Mapping[str, Entry]:
    """The unions that planning uses, by name_key of their names; any template can name them as a source."""
    return {name_key(entry.name): entry for entry in _read(STRUCTURES_FOLDER / "unions.json").entries}


def usual_type(names: Iterable[str]) -> str:
    """The interpreted type that the template with everything gives a structure with one of ``names`` (name_keys)."""
    for entry in _own(EVERYTHING).entries:
        if entry.interpreted_type and any(fnmatch.fnmatchcase(name, name_key(entry.source)) for name in names):
            return entry.interpreted_type
    return ORGAN


def _of_preset(preset: Preset) -> Template:
    return template_of_preset(preset, frozenset(standard_unions()))


@cache
def _own(name: str) -> Template:
    return _read(TEMPLATES_FOLDER / f"{name}.json")


def _read(path: Path) -> Template:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise invalid("the file cannot be read") from error
    except UnicodeDecodeError as error:
        raise invalid("the file is not text in UTF-8") from error
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise invalid(f"the file is not JSON{where}") from error
    if isinstance(content, dict) and content.get("format") == FORMAT:
        return _of_preset(preset_from_json(content))
    return template_of_json(content)
