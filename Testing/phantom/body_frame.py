"""The body frame: where the spine runs, how wide the rib cage and the skin are at each height (RAS, mm).

x grows to the patient's right, y to the front, z to the head; z = 0 is the middle of L5.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from phantom.shapes import Inside

BODY_LOW = (-210.0, -135.0, -260.0)
BODY_HIGH = (210.0, 130.0, 750.0)
BODY_CENTRE = (0.0, 0.0, 245.0)

# from below upwards, each with the height of its middle (mm)
VERTEBRA_Z = {
    "L5": 0.0,
    "L4": 34.0,
    "L3": 68.0,
    "L2": 102.0,
    "L1": 136.0,
    "T12": 168.0,
    "T11": 197.0,
    "T10": 224.0,
    "T9": 250.0,
    "T8": 275.0,
    "T7": 300.0,
    "T6": 325.0,
    "T5": 350.0,
    "T4": 374.0,
    "T3": 398.0,
    "T2": 421.0,
    "T1": 443.0,
    "C7": 463.0,
    "C6": 481.0,
    "C5": 499.0,
    "C4": 517.0,
    "C3": 535.0,
    "C2": 554.0,
    "C1": 575.0,
}
VERTEBRAE = tuple(VERTEBRA_Z)


class Profile:
    """A quantity given at a few heights and looked up by height; a table of 1 mm steps keeps it fast."""

    def __init__(self, heights: Sequence[float], values: Sequence[float]) -> None:
        """Heights in mm, in any order, with one value each."""
        order = np.argsort(heights)
        self._first = int(np.floor(min(heights)))
        grid = np.arange(self._first, int(np.ceil(max(heights))) + 1)
        self._table = np.interp(grid, np.asarray(heights)[order], np.asarray(values)[order]).astype(np.float32)

    def __call__(self, z: np.ndarray | float) -> np.ndarray:
        """Return the value at heights z (mm), constant beyond the ends."""
        index = np.rint(np.asarray(z, dtype=np.float32)).astype(np.int32) - self._first
        return self._table[np.clip(index, 0, len(self._table) - 1)]


SPINE_Y = Profile(
    (-30, 0, 34, 68, 102, 136, 168, 224, 275, 325, 374, 421, 463, 499, 535, 575),
    (-42, -35, -29, -26, -27, -32, -39, -50, -56, -58, -57, -52, -43, -35, -30, -27),
)

_CAGE = (  # height, half-width, half-depth, middle in y
    (475, 34, 28, -28),
    (450, 56, 44, -26),
    (425, 80, 60, -20),
    (400, 101, 74, -14),
    (360, 120, 87, -8),
    (310, 131, 97, -2),
    (250, 138, 101, 0),
    (180, 140, 101, 2),
    (130, 138, 96, 2),
    (60, 132, 90, 0),
)
CAGE_WIDTH, CAGE_DEPTH, CAGE_Y = (Profile([r[0] for r in _CAGE], [r[i] for r in _CAGE]) for i in (1, 2, 3))

_SKIN = (  # height, half-width, half-depth, middle in y
    (-215, 150, 92, -6),
    (-130, 172, 108, -9),
    (-60, 170, 110, -9),
    (0, 160, 108, -8),
    (60, 155, 109, -7),
    (130, 160, 112, -6),
    (250, 164, 115, -8),
    (330, 167, 113, -10),
    (390, 172, 105, -17),
    (430, 176, 95, -24),
    (455, 160, 86, -24),
    (472, 125, 76, -20),
    (487, 84, 66, -14),
    (507, 62, 60, -8),
    (560, 59, 60, -5),
    (590, 59, 60, -5),
)
SKIN_WIDTH, SKIN_DEPTH, SKIN_Y = (Profile([r[0] for r in _SKIN], [r[i] for r in _SKIN]) for i in (1, 2, 3))
TRUNK_LOW, TRUNK_HIGH = -215.0, 590.0


def inside_cage(margin_mm: float) -> Inside:
    """Return the test for positions at least `margin_mm` within the surface that the ribs lie on."""

    def inside(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        return (x / (CAGE_WIDTH(z) - margin_mm)) ** 2 + ((y - CAGE_Y(z)) / (CAGE_DEPTH(z) - margin_mm)) ** 2 <= 1.0

    return inside


def inside_trunk(margin_mm: float) -> Inside:
    """Return the test for positions at least about `margin_mm` under the skin of neck and trunk."""

    def inside(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        u = (x / (SKIN_WIDTH(z) - margin_mm)) ** 2
        v = ((y - SKIN_Y(z)) / (SKIN_DEPTH(z) - margin_mm)) ** 2
        # a sum of squares plus a share of their product is a cheap superellipse of power near 2.5
        return (u + v - 0.3 * u * v <= 1.0) & (u <= 1.0) & (v <= 1.0) & (z >= TRUNK_LOW) & (z <= TRUNK_HIGH)

    return inside


def diaphragm(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return z minus the height of the diaphragm there: positive in the chest; the right dome is higher."""
    lateral = np.where(x > 0, np.where(x > 70, (x - 70) / 72, (x - 70) / 160), np.where(x < -70, (x + 70) / 72, 0.44))
    top = np.where(x > 0, np.float32(256.0), np.float32(242.0))
    # between the domes, left of the midline, the floor under the heart falls gently
    lateral = np.where((x <= 0) & (x >= -70), (x + 70) / 160, lateral)
    return z - (top - 62 * (lateral**2 + ((y - 8) / 82) ** 2))


def cage_point(phi_degrees: float, z: float, side: int) -> tuple[float, float, float]:
    """Return the point of the cage's surface at an angle from straight back (0°) to straight ahead (180°)."""
    phi = np.deg2rad(phi_degrees)
    x = float(CAGE_WIDTH(z)) * np.sin(phi)
    y = float(CAGE_Y(z)) - float(CAGE_DEPTH(z)) * np.cos(phi)
    return (side * float(x), float(y), float(z))
