"""What is installed on this computer, read from a few small files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from TotalSegmentatorSetup.models.records import ModelRecords
from TotalSegmentatorSetup.packages.bootstrap import has_packages
from TotalSegmentatorSetup.packages.installed_engine import newest_engine
from TotalSegmentatorSetup.support.folders import folder_bytes

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.background import installed_engine
from TotalSegmentatorModuleLib.model_choices import CATALOGUE


@dataclass(frozen=True)
class OwnModel:
    """A model of the user's own that the set-up has copied into the models folder."""

    name: str
    """Of its folder there."""
    folder: Path
    bytes: int


@dataclass(frozen=True)
class SetupState:
    has_engine: bool
    has_chosen_packages: bool
    """The user's own packages are used in place of the set-up's."""
    lacks_chosen_packages: bool = False
    """The folder that the user chose for them does not hold them."""
    device: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    """Of the set-up's packages; empty where others are used."""
    engine_bytes: int = 0
    models: tuple[str, ...] = ()
    """Titles of the installed models of the catalogue."""
    model_ids: tuple[str, ...] = ()
    """Their ids."""
    model_bytes: int = 0
    own_models: tuple[OwnModel, ...] = ()
    """The user's own models that were added here."""
    folders: tuple[str, ...] = ()
    """Existing folders of the engine and the models."""


def setup_state() -> SetupState:
    """Read the state from the folders in the settings, without starting a process."""
    models = [model for model in CATALOGUE.values() if model.is_installed(settings.models_folder())]
    parts = {folder.parent for model in models for folder in model.part_folders(settings.models_folder())}
    chosen = settings.engine_packages_folder()
    has_chosen = chosen is not None
    engine = newest_engine(settings.engines_folder())
    is_used = engine is not None and not has_chosen
    return SetupState(
        has_engine=installed_engine.has_engine(),
        has_chosen_packages=has_chosen,
        lacks_chosen_packages=has_chosen and not has_packages(chosen),
        device=engine.device_name if is_used else "",
        versions=engine.versions if is_used else {},
        engine_bytes=engine.bytes if engine is not None else 0,
        models=tuple(model.title for model in models),
        model_ids=tuple(model.id for model in models),
        model_bytes=sum(folder_bytes(folder) for folder in parts),
        own_models=tuple(
            OwnModel(name, settings.models_folder() / name, folder_bytes(settings.models_folder() / name))
            for name in ModelRecords(settings.models_folder()).own_names()
        ),
        folders=tuple(
            str(folder) for folder in (settings.engines_folder(), settings.models_folder()) if folder.is_dir()
        ),
    )
