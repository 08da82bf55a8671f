"""The JSON files of a model folder: plans.json and dataset.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.errors.problem import SegmentationError


def read_model_json(path: Path) -> dict[str, Any]:
    """Raises SegmentationError("MODEL_DAMAGED") for a file that cannot be read or holds no JSON object."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SegmentationError("MODEL_DAMAGED", detail=f"{path.name} cannot be read") from error
    if not isinstance(content, dict):
        raise SegmentationError("MODEL_DAMAGED", detail=f"{path.name} is not a JSON object")
    return content
