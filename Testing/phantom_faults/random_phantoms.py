"""Phantoms of many poses, sizes, spacings, voxel orders and fields of view, drawn by a number."""

from __future__ import annotations

import numpy as np
from phantom import Phantom, PhantomParameters, make_phantom

WIDTH, DEPTH = (-230.0, 230.0), (-160.0, 160.0)
FIELDS_MM = {
    "whole": (-230.0, 640.0),
    "chest": (100.0, 520.0),
    "abdomen": (-200.0, 330.0),
    "trunk": (-200.0, 520.0),
}
"""From feet to head."""
ORIENTATIONS = ("LPS", "RAS", "LAS", "PIR", "RAI", "SLP")


def random_phantom(number: int, fields: tuple[str, ...] = tuple(FIELDS_MM), spacing_mm: float | None = None) -> Phantom:
    """The same phantom for the same arguments; ``spacing_mm`` None: between 3.5 and 5, unlike along the axes."""
    rng = np.random.default_rng([number, 16])
    spacing = tuple(rng.uniform(3.5, 5.0, 3).round(2)) if spacing_mm is None else (spacing_mm,) * 3
    scale = rng.uniform(0.88, 1.12)
    low, high = FIELDS_MM[fields[number % len(fields)]]
    middle = 245.0
    return make_phantom(
        PhantomParameters(
            seed=number,
            spacing_mm=spacing,
            orientation=ORIENTATIONS[int(rng.integers(len(ORIENTATIONS)))],
            field_of_view_mm=(
                tuple(x * 1.15 for x in WIDTH),
                tuple(y * 1.15 for y in DEPTH),
                (middle + (low - middle) * scale, middle + (high - middle) * scale),
            ),
            rotation_degrees=tuple(rng.uniform(-10, 10, 3)),
            scale=tuple(scale * rng.uniform(0.96, 1.04, 3)),
            bend_mm=tuple(rng.uniform(-30, 30, 2)),
            oblique_degrees=tuple(rng.uniform(-8, 8, 3)) if number % 3 == 0 else (0.0, 0.0, 0.0),
            shift_mm=tuple(rng.uniform(-8, 8, 3)),
        )
    )
