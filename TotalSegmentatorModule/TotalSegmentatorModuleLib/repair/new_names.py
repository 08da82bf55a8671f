"""Which segments get whose voxels when names are wrong: two that are swapped, or a run that is renumbered."""

from __future__ import annotations

from TotalSegmentatorWire.messages.review import Flag
from TotalSegmentatorWire.tables.numbered_names import of_other_side, renumbered
from TotalSegmentatorWire.tables.review_rules import RULES, Repair
from TotalSegmentatorWire.tables.structures import known_structures


def new_names(node, flag: Flag) -> dict[str, str] | None:
    """Ids of segments to those of the segments that get their voxels, in the order of the flag; None where the flag
    proposes nothing of the kind, or its segments are no longer there.

    A new name that no segment of ``node`` (vtkMRMLSegmentationNode) has yet is one of the label tables.
    """
    kind = RULES[flag.rule].repair if flag.rule in RULES else Repair.NONE
    if kind == Repair.SWAP:
        names = _swapped(flag)
    elif kind == Repair.RENUMBER:
        names = _renumbered(flag)
    else:
        names = None
    return names if names and _is_possible(node, names) else None


def _swapped(flag: Flag) -> dict[str, str] | None:
    if flag.others:
        other = flag.others[0]
        return {flag.structure: other, other: flag.structure}
    other = of_other_side(flag.structure)  # which was not found
    return {flag.structure: other} if other else None


def _renumbered(flag: Flag) -> dict[str, str] | None:
    by = flag.numbers.get("shift")
    if not isinstance(by, int) or not by:
        return None
    names = {name: renumbered(name, by) for name in (flag.structure, *flag.others)}
    return None if None in names.values() else names


def _is_possible(node, names: dict[str, str]) -> bool:
    segmentation = node.GetSegmentation()
    if any(segmentation.GetSegment(name) is None for name in names):
        return False
    beyond = [new for new in names.values() if new not in names]
    return all(segmentation.GetSegment(new) is None and new in known_structures() for new in beyond)
