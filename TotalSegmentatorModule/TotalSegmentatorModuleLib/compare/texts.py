"""The texts of the Compare section."""

from __future__ import annotations

from slicer.i18n import tr as _
from TotalSegmentatorWire.messages.comparison import (
    ADDED_PATH,
    DICE,
    DICE_DIGITS,
    DIFFERENCE,
    DIFFERENCE_PERCENT,
    DISTANCE_DIGITS,
    HAUSDORFF95,
    MEAN_DISTANCE,
    OUR_VOLUME,
    OURS,
    PATH_DIGITS,
    PERCENT_DIGITS,
    SURFACE_DICE,
    THEIR_VOLUME,
    THEIRS,
    TOLERANCE_MM,
    volume_digits,
)

from TotalSegmentatorModuleLib.compare.rows import Comparison, ComparisonLine

NO_VALUE = "\N{EN DASH}"
NOTE = "note"
"""A column of the table in the scene that says why a row has no values."""
_MINUS = "\N{MINUS SIGN}"


def comparison_text(comparison: Comparison) -> str:
    """One sentence about the structures that both sides have, and a number of those that only one side has."""
    scores = comparison.scores
    if not scores:
        return _("None of the structures contains any voxels.")
    values = {"count": len(scores), "mean": _number(comparison.mean_dice, DICE_DIGITS)}
    lowest, name = scores[0]
    values.update(lowest=_number(lowest, DICE_DIGITS), name=name)
    if len(scores) == 1:
        text = _("1 structure compared: Dice {lowest} ({name}).").format(**values)
    else:
        text = _("{count} structures compared: mean Dice {mean}, lowest {lowest} ({name}).").format(**values)
    if comparison.without_counterpart:
        text += " " + _("Without a counterpart: {count}.").format(count=comparison.without_counterpart)
    return text


def column_titles() -> dict[str, str]:
    """Columns of the table in the scene, in their order, to their titles."""
    return {
        OURS: _("Segmentation"),
        THEIRS: _("Compared with"),
        DICE: _("Dice"),
        HAUSDORFF95: _("95 % Hausdorff distance (mm)"),
        MEAN_DISTANCE: _("Mean surface distance (mm)"),
        SURFACE_DICE: _("Surface Dice ({millimetres} mm)").format(millimetres="{:g}".format(TOLERANCE_MM)),
        ADDED_PATH: _("Added path length (mm)"),
        OUR_VOLUME: _("Volume (ml)"),
        THEIR_VOLUME: _("Other volume (ml)"),
        DIFFERENCE: _("Difference (ml)"),
        DIFFERENCE_PERCENT: _("Difference (%)"),
        NOTE: _("Note"),
    }


def cells(line: ComparisonLine) -> dict[str, str]:
    """What to show of a structure, by the columns of ``column_titles``; never empty but for the note."""
    numbers = line.numbers
    volumes = [numbers.get(column, 0.0) for column in (OUR_VOLUME, THEIR_VOLUME)]
    digits = {
        DICE: DICE_DIGITS,
        HAUSDORFF95: DISTANCE_DIGITS,
        MEAN_DISTANCE: DISTANCE_DIGITS,
        SURFACE_DICE: DICE_DIGITS,
        ADDED_PATH: PATH_DIGITS,
        OUR_VOLUME: volume_digits(volumes[0]),
        THEIR_VOLUME: volume_digits(volumes[1]),
        DIFFERENCE: volume_digits(*volumes),
        DIFFERENCE_PERCENT: PERCENT_DIGITS,
    }
    shown = {
        column: _number(numbers[column], places, column in (DIFFERENCE, DIFFERENCE_PERCENT))
        if column in numbers
        else NO_VALUE
        for column, places in digits.items()
    }
    return {OURS: line.ours or NO_VALUE, THEIRS: line.theirs or NO_VALUE, **shown, NOTE: reason(line)}


def reason(line: ComparisonLine) -> str:
    """Why values of a structure are missing; empty where all are there."""
    if not line.theirs:
        return _("only in the segmentation")
    if not line.ours:
        return _("only in the other")
    ours, theirs = line.has_voxels
    if not ours and not theirs:
        return _("no voxels in either of them")
    if not ours:
        return _("no voxels in the segmentation")
    return "" if theirs else _("no voxels in the other")


def line_tool_tip(line: ComparisonLine) -> str:
    """Everything about a structure, one value a line."""
    shown = cells(line)
    values = {
        "ours": shown[OUR_VOLUME],
        "theirs": shown[THEIR_VOLUME],
        "difference": shown[DIFFERENCE],
        "percent": shown[DIFFERENCE_PERCENT],
    }
    if not line.is_pair:
        volume = shown[OUR_VOLUME] if line.ours else shown[THEIR_VOLUME]
        return "\n".join([line.name, _("Volume: {volume} ml").format(volume=volume), _sentence(reason(line))])
    lines = [
        _("{ours} compared with {theirs}").format(ours=line.ours, theirs=line.theirs),
        _("Dice: {value}").format(value=shown[DICE]),
        _("95 % Hausdorff distance: {value} mm").format(value=shown[HAUSDORFF95]),
        _("Mean surface distance: {value} mm").format(value=shown[MEAN_DISTANCE]),
        _("Surface Dice at {millimetres} mm: {value}").format(
            millimetres="{:g}".format(TOLERANCE_MM), value=shown[SURFACE_DICE]
        ),
        _("Added path length: {value} mm").format(value=shown[ADDED_PATH]),
        _("Volumes: {ours} ml and {theirs} ml ({difference} ml, {percent} %)").format(**values),
    ]
    if reason(line):
        lines.append(_sentence(reason(line)))
    return "\n".join(lines)


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + "."


def _number(value: float, digits: int, is_signed: bool = False) -> str:
    """Zero has no sign, rounded or not."""
    text = "{:.{}f}".format(abs(value), digits)
    if not float(text):
        return text
    return (_MINUS if value < 0 else "+" if is_signed else "") + text
