"""Parts that a preset derives from others: the skin, and the left and right half of a structure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from TotalSegmentatorWire.choice.presets import LEFT_HALF, SKIN

from TotalSegmentatorEngine.export.core.codes import LEFT, RIGHT
from TotalSegmentatorEngine.export.grid.derived_masks import half_mask, skin_mask
from TotalSegmentatorEngine.export.grid.placement import PlacedSegmentation
from TotalSegmentatorEngine.export.rois.parts import Part, union_part


def derived_part(
    step: str, parts: Sequence[Part], absent: int, placed: PlacedSegmentation, hu: Callable[[], np.ndarray] | None
) -> Part | None:
    """What ``step`` (one of STEPS) makes of ``parts``, ``absent`` others of which the segmentation lacks; None where
    it cannot be made. ``hu`` gives the CT on the grid, (k, j, i); None where there is none."""
    if step == SKIN:
        return _skin(parts, absent, hu)
    return None if absent else _half(parts, placed, is_left=step == LEFT_HALF)


def _skin(parts: Sequence[Part], absent: int, hu: Callable[[], np.ndarray] | None) -> Part | None:
    """It never gets the sign of a cut structure: a CT always cuts the body."""
    body = union_part(parts, absent)
    if body is None or hu is None:
        return None
    return dataclasses.replace(body, is_cut=False, codes=None, voxels=cache(lambda: skin_mask(body.voxels(), hu())))


def _half(parts: Sequence[Part], placed: PlacedSegmentation, is_left: bool) -> Part | None:
    whole, midline = parts
    if whole.is_empty or midline.is_empty:
        return None
    mask = half_mask(whole.voxels(), midline.voxels(), placed.grid, is_left)
    codes = whole.codes
    if codes is not None:
        codes = dataclasses.replace(codes, modifier=LEFT if is_left else RIGHT, fma=None)
    return dataclasses.replace(
        whole,
        codes=codes,
        is_cut=not mask.is_empty and placed.is_at_border(mask.box),
        is_empty=mask.is_empty,
        voxels=lambda: mask,
        expected=len(parts),
        present=len(parts),
        structure="",
    )
