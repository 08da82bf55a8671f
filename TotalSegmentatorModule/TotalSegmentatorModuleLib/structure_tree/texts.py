"""What the choice of structures says: sentences, and the rows that have no box."""

from __future__ import annotations

from collections.abc import Sequence

from slicer.i18n import tr as _
from TotalSegmentatorWire.choice.presets import BY_HAND, DERIVED, LICENCE, UNION, PresetRow, references
from TotalSegmentatorWire.messages.model_request import ModelRequest

from TotalSegmentatorModuleLib.model_choice.families import family_title
from TotalSegmentatorModuleLib.model_choices import CATALOGUE
from TotalSegmentatorModuleLib.segment.name_lists import readable_names
from TotalSegmentatorModuleLib.structure_tree.chosen_structures import ChosenStructures
from TotalSegmentatorModuleLib.texts.lists import listed

_NAMED = 3
"""So many structures are named in a sentence, more are counted."""


def group_text(title: str, count: int, all_count: int) -> str:
    """A region or system with the number of its structures: "Thorax (68)", or "Thorax (3 of 68)" where some are
    ticked."""
    if 0 < count < all_count:
        return _("{group} ({count} of {all})").format(group=title, count=count, all=all_count)
    return _("{group} ({count})").format(group=title, count=all_count)


def model_text(model: str) -> str:
    """The model that finds a structure, in a narrow column."""
    known = CATALOGUE.get(model)
    if known is None:
        return _("Your model")
    title = family_title(known.family).partition(" ")[0] if known.family.isdigit() else known.title
    return title.partition(":")[0]


def model_tool_tip(model: str) -> str:
    """The same in full."""
    known = CATALOGUE.get(model)
    return known.title if known is not None else model


def choice_text(chosen: ChosenStructures) -> str:
    """How many structures, and how many networks have to run for them."""
    if chosen.names is None:
        what = _("All {count} structures").format(count=len(chosen.model_of))
        if not chosen.model_of:
            what = _("All structures of your model")
    elif len(chosen.names) <= _NAMED:
        what = ", ".join(readable_names(chosen.names))
    else:
        what = _("{count} structures").format(count=len(chosen.names))
    work = _networks_text(*chosen.networks)
    return _("{structures}: {work}.").format(structures=what, work=work) if work else what + "."


def contents_text(requests: Sequence[ModelRequest]) -> str:
    """What the result of a job will hold, in words."""
    return ", ".join(_contents_of_model(request) for request in requests)


def _contents_of_model(request: ModelRequest) -> str:
    if request.structures is not None:
        return ", ".join(request.structures)
    title = CATALOGUE[request.model].title if request.model in CATALOGUE else _("Model folder")
    return _("all structures of the model '{model}' that are found").format(model=title)


def preset_texts(rows: Sequence[PresetRow]) -> list[str]:
    """What becomes of those rows of a preset that no model finds by itself."""
    sentences = []
    built = [row.title for row in rows if row.kind in (UNION, DERIVED)]
    licensed = [row.title for row in rows if row.kind == LICENCE]
    drawn = [row.title for row in rows if row.kind == BY_HAND]
    if built:
        sentences.append(_("Built at export: {names}.").format(names=listed(built, _NAMED)))
    if drawn:
        sentences.append(_("To draw by hand: {names}.").format(names=listed(drawn, _NAMED)))
    if licensed:
        names = listed(licensed, _NAMED)
        sentences.append(_("Needs a licence from the publisher: {names}.").format(names=names))
    return sentences


def unavailable_text(names: Sequence[str]) -> str:
    """Structures for which there is no model; empty where there are none."""
    if not names:
        return ""
    return _("No model finds: {names}.").format(names=listed(readable_names(names), _NAMED))


def extra_rows(rows: Sequence[PresetRow]) -> list[tuple[str, str, str]]:
    """The rows of a preset that have no box: title, what becomes of it, and the note as a tool tip."""
    remarks = {
        UNION: _("built at export"),
        DERIVED: _("built at export"),
        LICENCE: _("needs a licence"),
        BY_HAND: _("draw by hand"),
    }
    return [(_titled(row), remarks[row.kind], _tool_tip(row)) for row in rows if row.kind in remarks]


def _titled(row: PresetRow) -> str:
    if not row.tg263_name:
        return row.title
    return _("{title} ({name})").format(title=row.title, name=row.tg263_name)


def _tool_tip(row: PresetRow) -> str:
    licence = _("No open model finds it. It needs a licence from the publisher.") if row.kind == LICENCE else ""
    reference = references().get(row.reference, row.reference)
    source = _("Source: {reference}").format(reference=reference) if reference else ""
    return "\n".join(text for text in (row.title, licence, row.note, source) if text)


def _networks_text(some: int, every: int) -> str:
    if not every:
        return ""
    if every == 1:
        return _("computed by 1 network")
    if some == every:
        return _("computed by {count} networks").format(count=every)
    if some == 1:
        return _("only 1 of {every} networks has to run").format(every=every)
    return _("only {some} of {every} networks have to run").format(some=some, every=every)
