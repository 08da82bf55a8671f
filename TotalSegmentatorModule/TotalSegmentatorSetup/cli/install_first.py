"""``segment --install``: what a segmentation needs is installed before it starts, with the usual settings."""

from __future__ import annotations

from pathlib import Path

from TotalSegmentatorWire.tables.catalogue import check_model_name, read_catalogue

from TotalSegmentatorSetup.cli.arguments import SetupOptions
from TotalSegmentatorSetup.cli.commands import run
from TotalSegmentatorSetup.install.options import InstallOptions
from TotalSegmentatorSetup.packages.bootstrap import use_installed_engine


def install_for(model: str, models_folder: Path) -> int:
    """Installs the packages and, where it is one of the catalogue, the model; returns the exit status.

    Afterwards this process has the packages too. Raises SegmentationError("MODEL_UNKNOWN") before anything is
    downloaded.
    """
    check_model_name(model)
    models = [model] if model in read_catalogue() else []
    status = run(SetupOptions("setup", InstallOptions(models=models, models_folder=models_folder)))
    if status == 0:
        use_installed_engine(["segment"])
    return status
