"""Where the engine's packages and the models are installed, unless the user chooses otherwise."""

from __future__ import annotations

import os
import sys
from pathlib import Path

MODELS_VARIABLE = "TOTALSEGMENTATOR_MODELS"
ENGINES_VARIABLE = "TOTALSEGMENTATOR_ENGINES"
_NAME = "TotalSegmentatorModule"
_NAME_ON_WINDOWS = "TSM"
"""Short: PyTorch's own paths have up to 167 characters, and Windows allows 259 in all."""


def default_models_folder() -> Path:
    """The folder named by TOTALSEGMENTATOR_MODELS, else one per user."""
    return _chosen(MODELS_VARIABLE) or data_folder() / "models"


def default_engines_folder() -> Path:
    """Folder with one folder for each installed set of packages; named by TOTALSEGMENTATOR_ENGINES, else per user."""
    return _chosen(ENGINES_VARIABLE) or data_folder() / "engine"


def data_folder() -> Path:
    """The product's folder among the user's application data, by each system's custom. It is not made here."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / _NAME_ON_WINDOWS
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / _NAME


def _chosen(variable: str) -> Path | None:
    chosen = os.environ.get(variable)
    return Path(chosen).expanduser() if chosen else None
