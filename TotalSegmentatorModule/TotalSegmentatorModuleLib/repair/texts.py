"""The texts of repairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from slicer.i18n import tr as _
from TotalSegmentatorWire.messages.repair import RepairedSegment
from TotalSegmentatorWire.tables.review_rules import Repair, shown_name

_NAMED_AT_MOST = 4
"""Of a longer run only the first two and the last are named."""


def offer_title(kind: str) -> str:
    """Of the button beside a remark; ``kind`` is one of Repair.ALL."""
    return {
        Repair.SWAP: _("Swap..."),
        Repair.RENUMBER: _("Renumber..."),
        Repair.REMOVE_ISLANDS: _("Remove..."),
        Repair.FILL_HOLES: _("Fill..."),
        Repair.BRIDGE_GAP: _("Bridge..."),
        Repair.MOVE_PIECE: _("Move..."),
    }[kind]


def offer_tool_tip(kind: str) -> str:
    return {
        Repair.SWAP: _("Exchange the names of the two structures. Shows first what will change."),
        Repair.RENUMBER: _("Give the structures of this run the next number. Shows first what will change."),
        Repair.REMOVE_ISLANDS: _("Remove the stray pieces. Shows first what will change."),
        Repair.FILL_HOLES: _("Fill the holes. Shows first what will change."),
        Repair.BRIDGE_GAP: _("Bridge the gap through tissue that looks alike. Shows first what will change."),
        Repair.MOVE_PIECE: _("Give the piece to the structure to which it belongs, or to none. Shows it first."),
    }[kind]


def largest_piece_title() -> str:
    """In the list of further repairs."""
    return _("Keep only the largest piece")


def largest_piece_tool_tip() -> str:
    return _("Remove all pieces but the largest. Shows first what will change.")


def merge_title(name: str) -> str:
    """In the list of further repairs; ``name``: of the other structure."""
    return _("Merge into {structure}").format(structure=name)


def merge_tool_tip() -> str:
    return _("Give all voxels to the other structure; this one goes. Shows first what will change.")


def new_names_text(node, moves: Mapping[str, str]) -> str:
    """What becomes what; ``moves``: what ``new_names`` gives for ``node`` (vtkMRMLSegmentationNode)."""
    becomes = [
        _("{old} becomes {new}").format(old=_name(node, old), new=_name(node, new)) for old, new in moves.items()
    ]
    if len(becomes) > _NAMED_AT_MOST:
        becomes = [*becomes[:2], "\u2026", becomes[-1]]
    lines = [_("{list}.").format(list=", ".join(becomes))]
    segmentation = node.GetSegmentation()
    made = [new for new in moves.values() if segmentation.GetSegment(new) is None]
    gone = [old for old in moves if old not in moves.values()]
    if made:
        lines.append(_("New segment: {names}.").format(names=", ".join(_name(node, each) for each in made)))
    if gone:
        lines.append(_("Segment that goes: {names}.").format(names=", ".join(_name(node, each) for each in gone)))
    lines.append(_("Their status becomes Edited. Undo takes it back."))
    return _capital(" ".join(lines))


def working_text(fraction: float) -> str:
    """While the program works; ``fraction`` 0..1."""
    return _("Working out the repair: {percent} %").format(percent=round(100 * fraction))


def outcomes_text(node, segments: Sequence[RepairedSegment], gone: str = "") -> str:
    """What a repair adds to and removes from each segment of ``node`` (vtkMRMLSegmentationNode); ``gone``: id of the
    one that is removed."""
    if not segments:
        return _("The repair would change nothing.")
    lines = [_capital(_outcome_text(_name(node, each.id), each)) for each in segments if each.id != gone]
    if gone:
        lines.append(_("Segment that goes, with all its voxels: {name}.").format(name=_name(node, gone)))
    lines.append(_("The coloured outline shows the outcome."))
    return " ".join(lines)


def _outcome_text(name: str, segment: RepairedSegment) -> str:
    if not segment.removed_ml:
        sentence = _("{name}: adds {added} ml.")
    elif not segment.added_ml:
        sentence = _("{name}: removes {removed} ml.")
    else:
        sentence = _("{name}: adds {added} ml, removes {removed} ml.")
    return sentence.format(name=name, added=_ml(segment.added_ml), removed=_ml(segment.removed_ml))


def _ml(volume: float) -> str:
    return format(volume, ".1f" if volume >= 0.1 else ".3f")


def changed_meanwhile_text() -> str:
    return _("The segmentation has changed meanwhile. Choose the repair again.")


def _name(node, segment_id: str) -> str:
    segment = node.GetSegmentation().GetSegment(segment_id)
    return segment.GetName() if segment is not None else shown_name(segment_id)


def _capital(text: str) -> str:
    """Names of structures begin with a small letter, sentences do not."""
    return text[:1].upper() + text[1:]
