"""The arguments of the set-up's commands: ``setup``, ``models``, ``remove``, ``doctor`` and ``make-offline-bundle``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.command.command_run import add_run_files
from TotalSegmentatorWire.tables.catalogue import read_catalogue

from TotalSegmentatorSetup.network.access import PROXY_VARIABLE
from TotalSegmentatorSetup.support.folders import (
    ENGINES_VARIABLE,
    MODELS_VARIABLE,
)


def add_setup_commands(commands: Any, **described: Any) -> None:
    """``commands`` is what ``add_subparsers`` gave; ``described`` goes to each parser."""
    setup = commands.add_parser("setup", help="install the engine's packages and models", **described)
    setup.add_argument("--models", type=_ids, default=[], metavar="ID,ID", help="models of the catalogue to install")
    setup.add_argument("--show", action="store_true", help="only tell what would be installed")
    setup.add_argument("--json", action="store_true", help="with --show: as JSON, for programs")
    setup.add_argument("--repair", action="store_true", help="install the packages anew even if they are there")
    add_sources(setup)
    add_network(setup)
    add_run_files(setup)

    models = commands.add_parser("models", help="list, install, add, verify or remove models", **described)
    actions = models.add_subparsers(dest="action", required=True, metavar="list | install | add | verify | remove")
    listing = actions.add_parser("list", help="list the catalogue and what is installed")
    listing.add_argument("--json", action="store_true", help="as JSON, for programs")
    install = actions.add_parser("install", help="download and install models of the catalogue")
    add = actions.add_parser("add", help="install a model from a ZIP archive or an unpacked folder")
    add.add_argument("path", type=Path, metavar="PATH", help="archive or folder, of the catalogue or your own")
    verify = actions.add_parser("verify", help="check that installed models are whole and unchanged")
    remove = actions.add_parser("remove", help="remove installed models")
    for action in (install, verify, remove):
        action.add_argument("models", nargs="+", metavar="ID", help="id of the catalogue, such as 117-3mm")
    remove.add_argument(
        "--forget-digest", action="store_true", help="take another archive than the one that was installed next time"
    )
    for action in (install, add, verify):
        add_network(action)
        add_run_files(action)
    for action in (listing, install, add, verify, remove):
        add_folders(action)
    install.add_argument("--from-folder", type=Path, metavar="DIR", help="take the archives from an offline folder")

    away = commands.add_parser("remove", help="remove the engine's packages, and models if asked", **described)
    away.add_argument("--with-models", action="store_true", help="all installed models as well")
    add_folders(away)

    doctor = commands.add_parser("doctor", help="tell what is wrong with the installation and what to do", **described)
    doctor.add_argument("--json", action="store_true", help="as JSON, for programs")
    doctor.add_argument("--network", action="store_true", help="also ask each server whether it answers")
    add_network(doctor)
    add_folders(doctor)

    bundle = commands.add_parser(
        "make-offline-bundle", help="write one folder that installs everything without internet", **described
    )
    bundle.add_argument("output", type=Path, metavar="DIR", help="folder to write")
    bundle.add_argument("--models", type=_ids, default=[], metavar="ID,ID", help="models of the catalogue to put in")
    add_sources(bundle)
    add_network(bundle)
    add_run_files(bundle)


def add_sources(command: argparse.ArgumentParser) -> None:
    """Where packages come from, and where things are installed."""
    command.add_argument(
        "--torch-variant", metavar="ID", help="packages for another device than the one found; see --show"
    )
    command.add_argument("--index-url", metavar="URL", help="package index in place of the usual ones")
    command.add_argument("--extra-index-url", metavar="URL", help="a second package index")
    command.add_argument(
        "--from-folder", type=Path, metavar="DIR", help="install from this folder (make-offline-bundle), no network"
    )
    add_folders(command)


def add_network(command: argparse.ArgumentParser) -> None:
    command.add_argument("--proxy", metavar="URL", help=f"in place of the system's proxy; default: ${PROXY_VARIABLE}")
    command.add_argument(
        "--certificate-file", type=Path, metavar="FILE", help="certificates (PEM) to trust beside the system's"
    )


def add_folders(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--models-folder", type=Path, metavar="DIR", help=f"default: ${MODELS_VARIABLE}, else a folder of the user"
    )
    command.add_argument(
        "--engines-folder", type=Path, metavar="DIR", help=f"default: ${ENGINES_VARIABLE}, else a folder of the user"
    )


def _ids(text: str) -> list[str]:
    ids = [part.strip() for part in text.split(",") if part.strip()]
    unknown = [part for part in ids if part not in read_catalogue()]
    if unknown:
        raise argparse.ArgumentTypeError(f"no model {unknown[0]}; there are {', '.join(read_catalogue())}")
    return ids
