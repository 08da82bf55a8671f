"""``segment --install``: what a segmentation needs is installed before it starts, with the usual settings."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from TotalSegmentatorWire.tables.catalogue import check_model_name, read_catalogue

from TotalSegmentatorSetup.cli.arguments import SetupOptions
from TotalSegmentatorSetup.cli.commands import run
from TotalSegmentatorSetup.install.options import InstallOptions
from TotalSegmentatorSetup.packages.bootstrap import use_installed_engine


def install_for(models: Iterable[str], models_folder: Path) -> int:
    """Installs the packages and those of the models that are in the catalogue; returns the exit status.

    Afterwards this process has the packages too. Raises SegmentationError("MODEL_UNKNOWN") before anything is
    downloaded.
    """
    asked = list(models)
    for model in asked:
        check_model_name(model)
    known = [model for model in asked if model in read_catalogue()]
    status = run(SetupOptions("setup", InstallOptions(models=known, models_folder=models_folder)))
    if status == 0:
        use_installed_engine(["segment"])
    return status
