"""The texts of the Review section."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache

from slicer.i18n import getContext, translate
from slicer.i18n import tr as _
from TotalSegmentatorWire.messages.review import Level, structures_by_level
from TotalSegmentatorWire.tables.review_rules import RULES, shown_name, shown_names
from TotalSegmentatorWire.tables.review_state import ReviewState
from TotalSegmentatorWire.tables.usual_ranges import hu_ranges, volume_ranges

from TotalSegmentatorModuleLib.review.table.rows import Kind, ReviewRow
from TotalSegmentatorModuleLib.tags.review_flags import ShownFlag
from TotalSegmentatorModuleLib.texts.lists import listed
from TotalSegmentatorModuleLib.texts.quantities import range_text, volume_text

_NAMED = 4
"""Names in one line of the section."""


def kind_title(kind: str) -> str:
    """The heading of a Kind."""
    return {
        Level.WRONG: _("Wrong?"),
        Level.CHECK: _("Check"),
        Level.CUT: _("Cut by the scan"),
        Kind.CLEAR: _("No remarks"),
        Kind.UNCHECKED: _("Not checked"),
    }[kind]


def state_title(state: ReviewState) -> str:
    return {
        ReviewState.UNREVIEWED: _("Not reviewed"),
        ReviewState.EDITED: _("Edited"),
        ReviewState.APPROVED: _("Approved"),
        ReviewState.NEEDS_ATTENTION: _("For later"),
        ReviewState.REJECTED: _("Rejected"),
    }[state]


def group_title(group: str) -> str:
    """Of one of structures.GROUPS."""
    return {
        "organ": _("Organs"),
        "bone": _("Bones"),
        "muscle": _("Muscles"),
        "vessel": _("Vessels"),
        "cartilage": _("Cartilage"),
        "tooth": _("Teeth"),
        "cavity": _("Cavities"),
        "region": _("Regions"),
        "lesion": _("Lesions"),
        "device": _("Implants and devices"),
    }[group]


def column_titles() -> tuple[str, ...]:
    """In the order of table.Column."""
    return ("", "", _("Structure"), _("ml"), _("HU"), _("Dice"))


def column_tool_tips() -> tuple[str, ...]:
    return (
        _("Status of the review; the Segment Editor shows the same."),
        _("What the check for likely faults says. Click to list the worst first again."),
        _("Name and colour of the structure."),
        _("Volume in ml when the structure was computed, or checked again after a change."),
        _("Mean of the CT inside the structure in Hounsfield units; of the same time as the volume."),
        dice_tool_tip(),
    )


def dice_tool_tip() -> str:
    return _(
        "Mean Dice of this structure in the publication of the model, 1 being best: how well it is found in "
        "general. It does not say how good this result is."
    )


def volume_tool_tip(row: ReviewRow) -> str:
    """Of the cell with the volume: the published range, where there is one."""
    usual = volume_ranges().get(row.key)
    if row.volume_ml is None or usual is None:
        return ""
    text = _("{volume} ml. Published for adults: {range} ml ({source}).").format(
        volume=volume_text(row.volume_ml), range=range_text(usual), source=usual.source
    )
    return text + " " + _("The scan shows only a part of this structure.") if row.is_cut else text


def hu_tool_tip(row: ReviewRow) -> str:
    """Of the cell with the mean HU: what the tissue can have, where that is known."""
    usual = hu_ranges().get(row.key)
    if row.mean_hu is None or usual is None:
        return ""
    return _("Mean of {hu:.0f} HU. This tissue can have {range} HU ({source}).").format(
        hu=row.mean_hu, range=range_text(usual), source=usual.source
    )


def headline(rows: Collection[ReviewRow], is_preview: bool = False) -> str:
    """How many structures are likely wrong, to be checked, and cut, as the command line counts them."""
    if is_preview:
        return _("Preview: coarser than the result that was asked for, and not checked")
    if all(row.kind == Kind.UNCHECKED for row in rows):
        return _("Not checked for likely faults")
    counts = structures_by_level([shown.flag for row in rows for shown in row.flags])
    parts = []
    if counts[Level.WRONG]:
        parts.append(_("{count} wrong?").format(count=counts[Level.WRONG]))
    if counts[Level.CHECK]:
        parts.append(_("{count} to check").format(count=counts[Level.CHECK]))
    if counts[Level.CUT]:
        parts.append(_("{count} cut by the scan").format(count=counts[Level.CUT]))
    return ", ".join(parts) or _("No remarks")


def progress_text(rows: Collection[ReviewRow]) -> str:
    """How far the review has come."""
    counts = {state: sum(row.state is state for row in rows) for state in ReviewState}
    together = sum(row.is_together for row in rows)
    judged = counts[ReviewState.APPROVED] + counts[ReviewState.REJECTED]
    parts = [_("{judged} of {count} judged").format(judged=judged, count=len(rows))]
    if together:
        parts.append(_("{count} of them approved together").format(count=together))
    if counts[ReviewState.REJECTED]:
        parts.append(_("{count} rejected").format(count=counts[ReviewState.REJECTED]))
    if counts[ReviewState.NEEDS_ATTENTION]:
        parts.append(_("{count} for later").format(count=counts[ReviewState.NEEDS_ATTENTION]))
    return ", ".join(parts)


def nothing_left_text(waiting: int) -> str:
    """When no structure in sight waits for a judgement; ``waiting``: how many do elsewhere or are the chosen one."""
    if not waiting:
        return _("Every structure is judged.")
    if waiting == 1:
        return _("Nothing else in sight waits for a judgement; 1 structure is still open.")
    return _("Nothing else in sight waits for a judgement; {count} structures are still open.").format(count=waiting)


def new_result_text(name: str) -> str:
    """When a result arrives in the middle of the review of another one."""
    return _("A new result has arrived. To review it, choose '{name}' above.").format(name=name)


def group_text(kind: str, is_open: bool, shown: Collection[ReviewRow], count: int, elsewhere: int) -> str:
    """A heading with its arrow, the number of its rows, and of those that wait for a judgement when others do not.
    ``elsewhere``: rows with such a remark, too, that stand above for a worse one."""
    values = {"arrow": "\u25be" if is_open else "\u25b8", "title": kind_title(kind)}
    values.update(shown=len(shown), count=count, waiting=sum(row.is_open for row in shown), elsewhere=elsewhere)
    values["number"] = _("{shown} of {count}").format(**values) if len(shown) < count else str(count)
    if elsewhere:
        values["number"] = _("{number}; {elsewhere} more above").format(**values)
    if values["waiting"] == len(shown):
        return _("{arrow} {title} ({number})").format(**values)
    if values["waiting"]:
        return _("{arrow} {title} ({number}), {waiting} open").format(**values)
    return _("{arrow} {title} ({number}), done").format(**values)


def also_edited_text(names: Sequence[str]) -> str:
    """What the user has to know after an edit that changed further structures than the one that it was about."""
    if not names:
        return ""
    return _("You also changed: {names}. Undo takes back all of it.").format(names=listed(names, _NAMED))


def nothing_fits_text() -> str:
    return _("No structure fits what the boxes above ask for.")


def sentence(shown: ShownFlag) -> str:
    """What a flag says, in the application's language; some sentences begin with the name of a structure."""
    text = _sentence(shown)
    if shown.is_repaired:
        return _("Changed, not checked again: {sentence}").format(sentence=text)
    return text[:1].upper() + text[1:]


def _sentence(shown: ShownFlag) -> str:
    flag, rule = shown.flag, RULES.get(shown.flag.rule)
    if rule is None:  # of a later version
        return shown.sentence or _("Remark '{rule}' of another version").format(rule=flag.rule)
    values = {"structure": shown_name(flag.structure), "others": shown_names(flag.others), **flag.numbers}
    for text in (translate(_context(rule.source_file), rule.sentence), rule.sentence):
        try:
            return text.format(**values)
        except (LookupError, ValueError):
            continue  # a translation, or numbers of another version
    return shown.sentence


def shown_row_name(row: ReviewRow, with_tg263: bool) -> str:
    """The name in the table."""
    name = row.tg263 if with_tg263 and row.tg263 else row.name
    return name if row.has_segment else _("missing: {name}").format(name=name)


@cache
def _context(source_file: str) -> str:
    """Slicer looks for the module's folder each time that it is asked."""
    return getContext(source_file)


def row_tool_tip(row: ReviewRow) -> str:
    lines = [row.name if not row.tg263 else _("{name} ({tg263})").format(name=row.name, tg263=row.tg263)]
    lines.append(_("Status: {state}").format(state=state_title(row.state)))
    lines += [sentence(shown) for shown in row.flags]
    return "\n".join(lines)


def row_title(row: ReviewRow) -> str:
    """Above the remarks on the chosen structure."""
    name = row.name if row.has_segment else _("{name} (missing)").format(name=row.name)
    return _("{name}: {state}").format(name=name, state=state_title(row.state).lower())


def together_question(count: int) -> str:
    return _(
        "{count} structures are approved without being looked at one by one. Automatic contours can be wrong even "
        "where no check finds fault.\n\nThe result remembers how many were approved this way."
    ).format(count=count)
