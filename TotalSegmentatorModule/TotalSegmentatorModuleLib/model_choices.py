"""The models that the panel offers."""

from __future__ import annotations

from pathlib import Path

from TotalSegmentatorWire.choice.model_selection import FAST, FINE
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.catalogue import CatalogueModel, read_catalogue

from TotalSegmentatorModuleLib import settings

CATALOGUE: dict[str, CatalogueModel] = read_catalogue()
OWN_FOLDER = ""
"""Used as the model id of the user's own model folder."""
WHOLE_BODY = ("104", "117")
"""Families whose models find structures of the whole body."""
_QUALITIES_MM = {1.5: FINE, 3.0: FAST}
"""Of their models; coarser ones only show roughly what there is."""
_OWN_FOLDER_SETTING = "folder"
"""Stands for OWN_FOLDER in the settings, where nothing means the default."""


def preferred_model(models_folder: Path, quality: str = FINE) -> str:
    """The model of the whole body to begin with: one that is installed before others, one of ``quality`` (FINE or FAST)
    before others, then the first of the catalogue. A task of one region is never suggested."""
    offered = [
        model for model in CATALOGUE.values() if model.family in WHOLE_BODY and model.spacing_mm in _QUALITIES_MM
    ]

    def drawbacks(model: CatalogueModel) -> tuple[bool, bool]:
        return not model.is_installed(models_folder), _QUALITIES_MM[model.spacing_mm] != quality

    return min(offered, key=drawbacks).id  # of equals the first


def initial_model(models_folder: Path, quality: str = FINE) -> tuple[str, str]:
    """The model of a new scene, and its folder where it is the user's own: the one that was chosen last if it is still
    there, else the preferred one of ``quality`` (FINE or FAST)."""
    model, folder = settings.text(settings.MODEL), settings.text(settings.MODEL_FOLDER)
    if model in CATALOGUE:
        return model, folder
    if model == _OWN_FOLDER_SETTING and folder:
        return OWN_FOLDER, folder
    return preferred_model(models_folder, quality), folder


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
