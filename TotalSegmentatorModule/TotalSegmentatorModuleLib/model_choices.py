"""The models that the panel offers."""

from __future__ import annotations

from pathlib import Path

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.catalogue import CatalogueModel, read_catalogue

from TotalSegmentatorModuleLib import settings

CATALOGUE: dict[str, CatalogueModel] = read_catalogue()
OWN_FOLDER = ""
"""Used as the model id of the user's own model folder."""
_OWN_FOLDER_SETTING = "folder"
"""Stands for OWN_FOLDER in the settings, where nothing means the default."""


def preferred_model(models_folder: Path) -> str:
    """The model to begin with: the first one that is installed, else the first of the catalogue."""
    installed = (model.id for model in CATALOGUE.values() if model.is_installed(models_folder))
    return next(installed, next(iter(CATALOGUE)))


def initial_model(models_folder: Path) -> tuple[str, str]:
    """The model of a new scene, and its folder where it is the user's own: the one that was chosen last if it is still
    there, else the preferred one."""
    model, folder = settings.text(settings.MODEL), settings.text(settings.MODEL_FOLDER)
    if model in CATALOGUE:
        return model, folder
    if model == _OWN_FOLDER_SETTING and folder:
        return OWN_FOLDER, folder
    return preferred_model(models_folder), folder


def keep_model(model: str, folder: str) -> None:
    """Remember what was chosen for the next scene; ``model`` may be OWN_FOLDER."""
    settings.set_text(settings.MODEL, _OWN_FOLDER_SETTING if model == OWN_FOLDER else model)
    settings.set_text(settings.MODEL_FOLDER, folder)


def check_installed(model: str, models_folder: Path) -> None:
    """Raises SegmentationError("MODEL_MISSING") for a model of the catalogue that is not installed.

    Anything that the catalogue lacks is a model folder, which the engine validates.
    """
    if model in CATALOGUE and not CATALOGUE[model].is_installed(models_folder):
        raise SegmentationError("MODEL_MISSING", model=CATALOGUE[model].title)
