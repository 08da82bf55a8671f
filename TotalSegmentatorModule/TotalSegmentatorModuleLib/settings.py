"""The module's settings, which belong to the computer and not to the scene."""

from __future__ import annotations

from pathlib import Path

import qt
import slicer
from TotalSegmentatorSetup.folders import default_models_folder

PREFIX = "TotalSegmentatorModule/"
_ENGINE_PACKAGES = "EnginePackagesFolder"
_MODELS = "ModelsFolder"
_WORK = "WorkFolder"


def engine_packages_folder() -> Path | None:
    """Folder with the engine's Python packages; None where they are those of Slicer's own Python."""
    return _folder(_ENGINE_PACKAGES)


def models_folder() -> Path:
    """Folder with the installed models of the catalogue; by default the command line's."""
    return _folder(_MODELS) or default_models_folder()


def work_folder() -> Path:
    """Private folder for CTs and results under way; by default in Slicer's cache."""
    return _folder(_WORK) or Path(slicer.app.cachePath) / "TotalSegmentatorModule"


def set_engine_packages_folder(path: str) -> None:
    """An empty ``path`` means the default, here and in the other setters."""
    _set(_ENGINE_PACKAGES, path)


def set_models_folder(path: str) -> None:
    _set(_MODELS, path)


def stored_text(folder: Path | None) -> str:
    """A folder as a path line shows it; empty for None."""
    return "" if folder is None else str(folder)


def _folder(key: str) -> Path | None:
    text = slicer.util.settingsValue(PREFIX + key, "")
    return Path(text) if text else None


def _set(key: str, path: str) -> None:
    settings = qt.QSettings()
    if path.strip():
        settings.setValue(PREFIX + key, path.strip())
    else:
        settings.remove(PREFIX + key)
