"""Agreements of approximate labels with the exact ones, made up."""

from __future__ import annotations

import dataclasses

from TotalSegmentatorWire.messages.agreement import Agreement, Share

GOOD = Agreement(
    approximations=("reduced",),
    tiles=4,
    of_tiles=120,
    voxels=Share(0.9997, 0.9995, 0.9999),
    foreground=Share(0.994, 0.99, 0.997),
    lowest_structure="spleen",
    lowest=Share(0.97, 0.94, 0.985),
    threshold=0.98,
    seconds=3.25,
)
LOW = dataclasses.replace(
    GOOD, approximations=("reduced", "crop"), foreground=Share(0.951, 0.93, 0.968), lowest=Share(0.81, 0.7, 0.9)
)
"""Fewer voxels agree than were asked for."""
