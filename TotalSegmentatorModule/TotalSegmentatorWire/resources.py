"""Where the product's own files are: its data tables, and the program that runs beside Slicer."""

from __future__ import annotations

from pathlib import Path

_MODULE = Path(__file__).resolve().parents[1]

ENGINE_PROGRAM = _MODULE / "TotalSegmentatorEngine" / "__main__.py"
"""Runs by its path, with any Python."""

_RESOURCES = _MODULE / "Resources"
ENGINE_FOLDER = _RESOURCES / "Engine"
"""The pins of the engine's packages, and where they come from."""
STRUCTURES_FOLDER = _RESOURCES / "Structures"
"""Label tables, unions and TG-263 names."""
MODELS_FOLDER = _RESOURCES / "Models"
"""The catalogue of models and their profiles."""
TEMPLATES_FOLDER = _RESOURCES / "Export"
"""The export's templates, and the interpreted types of ROIs."""
REVIEW_FOLDER = _RESOURCES / "Review"
"""What the rules of the review know about structures: thresholds, ranges, neighbours, each with its source."""
ICONS_FOLDER = _RESOURCES / "Icons"
"""Pictures of the panel."""
