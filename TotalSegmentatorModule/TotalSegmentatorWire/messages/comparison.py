"""The table of a comparison: its columns, and the digits that its numbers deserve wherever people read them."""

from __future__ import annotations

OURS, THEIRS, DICE = "ours", "theirs", "dice"
HAUSDORFF95, MEAN_DISTANCE = "hausdorff95_mm", "mean_surface_distance_mm"
SURFACE_DICE, ADDED_PATH = "surface_dice", "added_path_mm"
OUR_VOLUME, THEIR_VOLUME = "our_volume_ml", "their_volume_ml"
DIFFERENCE, DIFFERENCE_PERCENT = "volume_difference_ml", "volume_difference_percent"
"""Ours minus theirs; percent of theirs."""

NAME_COLUMNS = (OURS, THEIRS)
"""These hold text, all others numbers; a cell is empty where there is no value. The units are in the names."""
NUMBER_COLUMNS = (
    DICE,
    HAUSDORFF95,
    MEAN_DISTANCE,
    OUR_VOLUME,
    THEIR_VOLUME,
    DIFFERENCE,
    DIFFERENCE_PERCENT,
    SURFACE_DICE,
    ADDED_PATH,
)
COLUMNS = NAME_COLUMNS + NUMBER_COLUMNS

TOLERANCE_MM = 2.0
"""Of the surface Dice, where nobody chose another one."""

DICE_DIGITS, DISTANCE_DIGITS, PATH_DIGITS, PERCENT_DIGITS = 3, 1, 0, 1
"""After the point. Contours are drawn to a pixel, which is seldom smaller than half a millimetre."""


def volume_digits(*volumes_ml: float) -> int:
    """Digits after the point that give the largest of these volumes three significant ones: 0.123, 1.23, 12.3, 123."""
    largest = max(abs(volume) for volume in volumes_ml)
    if largest == 0.0:
        return 0
    return next((digits for digits, limit in ((3, 1.0), (2, 10.0), (1, 100.0)) if largest < limit), 0)
