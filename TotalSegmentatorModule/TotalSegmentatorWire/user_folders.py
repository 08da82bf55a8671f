"""The folders of one user: of the engine's packages, of the models and of measurements, unless they choose others."""

from __future__ import annotations

import os
import sys
from pathlib import Path

MODELS_VARIABLE = "TOTALSEGMENTATOR_MODELS"
ENGINES_VARIABLE = "TOTALSEGMENTATOR_ENGINES"
CACHE_VARIABLE = "TOTALSEGMENTATOR_CACHE"
MEASUREMENTS = "machine-*"
"""Files in the cache folder that hold measurements, with their locks and drafts."""
COMPILED = "compiled"
"""Folder in the cache folder for what torch.compile keeps."""
STORED_NETWORKS = "networks"
"""Folder in the cache folder for networks that OpenVINO has compiled."""
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
        return _local_app_data() / _NAME_ON_WINDOWS
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / _NAME


def cache_folder() -> Path:
    """For measurements of this machine and compiled networks: named by TOTALSEGMENTATOR_CACHE, else one per user.

    Raises RuntimeError where the system knows no home folder.
    """
    chosen = _chosen(CACHE_VARIABLE)
    if chosen is not None:
        return chosen
    if sys.platform == "win32":
        return _local_app_data() / _NAME / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / _NAME
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / _NAME


def _local_app_data() -> Path:
    return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")


def _chosen(variable: str) -> Path | None:
    chosen = os.environ.get(variable)
    return Path(chosen).expanduser() if chosen else None
