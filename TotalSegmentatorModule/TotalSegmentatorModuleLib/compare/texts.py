"""The texts of the Compare section."""

from __future__ import annotations

from slicer.i18n import tr as _

from TotalSegmentatorModuleLib.compare.rows import ComparisonRows


def comparison_text(rows: ComparisonRows) -> str:
    """One sentence about the structures that both sides have, and one about those that only one side has."""
    scores = rows.scores
    if not scores:
        return _("None of the structures contains any voxels.")
    values = {"count": len(scores), "mean": "{:.3f}".format(rows.mean_dice)}
    lowest, name = scores[0]
    values.update(lowest="{:.3f}".format(lowest), name=name)
    if len(scores) == 1:
        text = _("1 structure compared: Dice {lowest} ({name}).").format(**values)
    else:
        text = _("{count} structures compared: mean Dice {mean}, lowest {lowest} ({name}).").format(**values)
    if rows.only_ours or rows.only_theirs:
        alone = _("Only in the segmentation: {ours}; only in the file: {theirs}.")
        text += " " + alone.format(ours=rows.only_ours, theirs=rows.only_theirs)
    return text


def column_titles() -> dict[str, str]:
    """Column names of the engine's table to their titles."""
    return {
        "ours": _("Segmentation"),
        "theirs": _("File"),
        "dice": _("Dice"),
        "hausdorff95_mm": _("95 % Hausdorff distance (mm)"),
        "mean_surface_distance_mm": _("Mean surface distance (mm)"),
        "our_volume_ml": _("Segmentation volume (ml)"),
        "their_volume_ml": _("File volume (ml)"),
        "volume_difference_ml": _("Volume difference (ml)"),
        "volume_difference_percent": _("Volume difference (%)"),
    }
