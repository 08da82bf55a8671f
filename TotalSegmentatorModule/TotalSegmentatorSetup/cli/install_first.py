"""``segment --install``: what a segmentation needs is installed before it starts, with the usual settings."""

from __future__ import annotations

import argparse
from pathlib import Path

from TotalSegmentatorWire.tables.catalogue import read_catalogue

from TotalSegmentatorSetup.cli.arguments import add_setup_commands
from TotalSegmentatorSetup.cli.commands import SetupRun
from TotalSegmentatorSetup.packages.bootstrap import use_installed_engine


def install_for(model: str, models_folder: Path | None) -> int:
    """Installs the packages and, where it is one of the catalogue, the model; returns the exit status.

    Afterwards this process has the packages too.
    """
    parser = argparse.ArgumentParser()
    add_setup_commands(parser.add_subparsers(dest="command"))
    wanted = ["--models", model] if model in read_catalogue() else []
    folder = [] if models_folder is None else ["--models-folder", str(models_folder)]
    status = SetupRun(parser.parse_args(["setup", *wanted, *folder])).run(lambda job: job.installation.install())
    if status == 0:
        use_installed_engine(["segment"])
    return status
