"""The voxel order of a user's own model, stored with it."""

from __future__ import annotations

import json
from pathlib import Path

from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.tables.model_json import read_model_json
from TotalSegmentatorWire.tables.voxel_orders import CANONICAL, CANONICAL_READERS, VOXEL_ORDER_KEY


def settle_order(model_folder: Path, order: str | None) -> list[Problem]:
    """Stores the order of a model that is being added; a warning where the model needs one and nobody knows it.

    Raises SegmentationError: what ``store_order`` raises.
    """
    if order is not None:
        store_order(model_folder, order)
        return []
    is_known = _is_canonical(model_folder) or VOXEL_ORDER_KEY in read_model_json(model_folder / "dataset.json")
    return [] if is_known else [Problem("MODEL_ORIENTATION_UNKNOWN")]


def store_order(model_folder: Path, order: str) -> None:
    """Writes ``order`` into the folder's dataset.json, where nnU-Net ignores it and the engine reads it.

    Raises SegmentationError: MODEL_ORIENTATION_FIXED where the model's own reader turns every image, MODEL_DAMAGED.
    """
    if _is_canonical(model_folder):
        if order != CANONICAL:
            raise SegmentationError("MODEL_ORIENTATION_FIXED", orientation=order)
        return
    table = model_folder / "dataset.json"
    draft = table.with_name(".dataset.json.part")
    try:
        draft.write_text(json.dumps(read_model_json(table) | {VOXEL_ORDER_KEY: order}, indent=1), encoding="utf-8")
        draft.replace(table)
    finally:
        draft.unlink(missing_ok=True)


def _is_canonical(model_folder: Path) -> bool:
    return read_model_json(model_folder / "plans.json").get("image_reader_writer") in CANONICAL_READERS
