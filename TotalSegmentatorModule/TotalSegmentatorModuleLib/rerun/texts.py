"""What is said about structures that are computed again."""

from __future__ import annotations

from collections.abc import Sequence

from slicer.i18n import tr as _

from TotalSegmentatorModuleLib.texts.lists import listed

_NAMED = 12
"""So many structures are named."""


def selected_text(names: Sequence[str]) -> str:
    """A choice of which structures."""
    if len(names) == 1:
        return _("Selected: {name}").format(name=names[0])
    return _("{count} selected structures").format(count=len(names))


def open_text(count: int) -> str:
    """Likewise."""
    if count == 1:
        return _("1 open or rejected structure")
    return _("{count} open or rejected structures").format(count=count)


def outlook_text(count: int, model: str, unknown: Sequence[str]) -> str:
    """Before the job. ``unknown``: what the model does not have."""
    text = (
        _(
            "The model chosen above ({model}) computes them, with the options of Advanced and only the networks that "
            "they need. All other structures stay as they are."
        ).format(model=model)
        if count
        else _("The model chosen above ({model}) has none of these structures.").format(model=model)
    )
    return _("{text} Not in this model: {names}.").format(text=text, names=listed(unknown, _NAMED)) if unknown else text


def no_ct_text() -> str:
    return _("The CT of this segmentation is not in the scene. Load it to compute structures again.")


def consent_question(names: Sequence[str], count: int) -> str:
    """``names``: of the structures that somebody worked on; ``count``: of all that are to be computed again."""
    if count == 1:
        who = _("{name} was edited, approved or put off, or comes from elsewhere.").format(name=names[0])
        return _("{who}\n\nReplace it all the same? Undo brings it back.").format(who=who)
    if len(names) == 1:
        who = _("1 of {count} structures was edited, approved or put off, or comes from elsewhere: {name}.")
        who = who.format(count=count, name=names[0])
        return _("{who}\n\nReplace it, too? Undo brings it back.").format(who=who)
    who = _("{protected} of {count} structures were edited, approved or put off, or come from elsewhere: {names}.")
    who = who.format(protected=len(names), count=count, names=listed(names, _NAMED))
    return _("{who}\n\nReplace them, too? Undo brings them back.").format(who=who)


def nothing_text() -> str:
    return _("Nothing was computed again: all of these structures are kept.")


def outcome_text(replaced: Sequence[str], kept: Sequence[str], absent: Sequence[str]) -> str:
    """After the job."""
    lines = [
        _("Computed again: {names}.").format(names=listed(replaced, _NAMED)) if replaced else _("Nothing was replaced.")
    ]
    if kept:
        lines.append(_("Kept, as they were edited or judged meanwhile: {names}.").format(names=listed(kept, _NAMED)))
    if absent:
        lines.append(_("Not found this time, so nothing changed: {names}.").format(names=listed(absent, _NAMED)))
    return " ".join(lines)
