"""The arguments of the set-up's commands: ``setup``, ``models``, ``remove``, ``doctor`` and ``make-offline-bundle``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.command.argument_types import options_from
from TotalSegmentatorWire.command.command_run import RunFiles, add_run_files
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.catalogue import catalogue_model
from TotalSegmentatorWire.tables.voxel_orders import voxel_order
from TotalSegmentatorWire.user_folders import ENGINES_VARIABLE, MODELS_VARIABLE

from TotalSegmentatorSetup.install.options import InstallOptions
from TotalSegmentatorSetup.network.access import PROXY_VARIABLE


@dataclass(frozen=True)
class SetupOptions:
    """One of the set-up's commands; each looks only at what it has an option for."""

    command: str
    """"setup", "models list", "models install", "models add", "models verify", "models remove", "remove", "doctor" or
    "make-offline-bundle"."""
    install: InstallOptions
    files: RunFiles = RunFiles()  # noqa: RUF009 - frozen
    show: bool = False
    json: bool = False
    path: Path | None = None
    """The archive or folder of ``models add``."""
    orientation: str | None = None
    """The voxel order that ``models add`` stores with the model."""
    forget_digest: bool = False
    with_models: bool = False
    own_models: Sequence[str] = ()
    """Folder names of the user's own models that ``remove`` removes as well."""
    model: str | None = None
    """The model in use, about which ``doctor`` is asked: id or folder."""
    ask_servers: bool = False
    output: Path | None = None
    """The folder that ``make-offline-bundle`` writes."""


def _setup_options(parsed: argparse.Namespace) -> SetupOptions:
    command = f"models {parsed.action}" if parsed.command == "models" else parsed.command
    install, files = options_from(parsed, InstallOptions), options_from(parsed, RunFiles)
    return options_from(parsed, SetupOptions, command=command, install=install, files=files)


def add_setup_commands(commands: Any) -> None:
    """``commands`` is what ``add_subparsers`` gave."""
    setup = commands.add_parser("setup", help="install the engine's packages and models", description=_SETUP)
    setup.add_argument("--models", type=_ids, metavar="ID,ID", help="models in the catalogue to install")
    setup.add_argument("--show", action="store_true", help="only show what would be installed")
    setup.add_argument("--json", action="store_true", help="with --show: print JSON, for programs")
    setup.add_argument(
        "--repair", action="store_true", help="reinstall the packages even if they are already installed"
    )

    models = commands.add_parser("models", help="list, install, add, verify or remove models", description=_MODELS)
    actions = models.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="list the models and show which are installed", description=_LIST)
    install = actions.add_parser("install", help="download and install models", description=_INSTALL)
    add = actions.add_parser("add", help="install a model from a file or folder", description=_ADD)
    add.add_argument("path", type=Path, metavar="PATH", help="ZIP archive, or unpacked folder")
    add.add_argument(
        "--orientation",
        type=_orientation,
        metavar="ORDER",
        help="voxel order of the training images of your own model: RAS, LPS, LAS, ..., or file",
    )
    verify = actions.add_parser("verify", help="check installed models", description=_VERIFY)
    remove = actions.add_parser("remove", help="remove installed models", description=_REMOVE)
    for action in (install, verify, remove):
        action.add_argument("models", nargs="+", metavar="ID", help="id of the model, such as 117-3mm")
    remove.add_argument(
        "--forget-digest", action="store_true", help="accept an archive with a different SHA-256 checksum next time"
    )
    install.add_argument("--from-folder", type=Path, metavar="DIR", help="take the archives from this offline folder")

    away = commands.add_parser("remove", help="remove the engine's packages", description=_REMOVE_ALL)
    away.add_argument("--with-models", action="store_true", help="remove the installed models of the catalogue as well")
    away.add_argument(
        "--with-own-model",
        action="append",
        default=[],
        dest="own_models",
        metavar="NAME",
        help="also remove your own model with this folder name; may be repeated",
    )

    doctor = commands.add_parser("doctor", help="check the installation", description=_DOCTOR)
    doctor.add_argument("--model", metavar="MODEL", help="the model that you use: id in the catalogue, or model folder")
    doctor.add_argument("--network", action="store_true", dest="ask_servers", help="also check that the servers answer")

    bundle = commands.add_parser(
        "make-offline-bundle", help="create a folder for offline installation", description=_BUNDLE
    )
    bundle.add_argument("output", type=Path, metavar="DIR", help="folder to write")
    bundle.add_argument("--models", type=_ids, metavar="ID,ID", help="models in the catalogue to include")

    for command in (listing, doctor):
        command.add_argument("--json", action="store_true", help="print JSON, for programs")
    for command in (setup, bundle):
        _add_sources(command)
    for command in (setup, bundle, install, add, verify, doctor):
        _add_network(command)
    for command in (setup, bundle, listing, install, add, verify, remove, away, doctor):
        _add_folders(command)
        command.set_defaults(make_options=_setup_options)
    for command in (setup, bundle, install, add, verify):
        add_run_files(command)


def _add_sources(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("packages")
    group.add_argument(
        "--torch-variant",
        metavar="ID",
        help="build of PyTorch: cpu, cu126, cu130, ...; the default suits this computer",
    )
    group.add_argument("--index-url", metavar="URL", help="package index to use instead of PyPI and PyTorch's own")
    group.add_argument("--extra-index-url", metavar="URL", help="an additional package index")
    group.add_argument(
        "--from-folder", type=Path, metavar="DIR", help="install from this offline folder, without the network"
    )


def _add_network(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("network")
    group.add_argument(
        "--proxy", metavar="URL", help=f"proxy; the default is ${PROXY_VARIABLE} or, if unset, the system's"
    )
    group.add_argument(
        "--certificate-file",
        type=Path,
        metavar="FILE",
        help="PEM file with certificates to trust in addition to the system's",
    )


def _add_folders(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("folders")
    for name, variable in (("models", MODELS_VARIABLE), ("engines", ENGINES_VARIABLE)):
        what = "models" if name == "models" else "the engine's packages"
        group.add_argument(
            f"--{name}-folder",
            type=Path,
            metavar="DIR",
            help=f"folder of {what}; the default is ${variable} or, if unset, a per-user folder",
        )


def _ids(text: str) -> list[str]:
    ids = [part.strip() for part in text.split(",") if part.strip()]
    try:
        return [catalogue_model(model).id for model in ids]
    except SegmentationError as error:
        raise argparse.ArgumentTypeError(error.problem.what) from error


def _orientation(text: str) -> str:
    try:
        return voxel_order(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError("give three letters such as RAS or LPS, or file") from error


_SETUP = """\
Installs what a segmentation needs: the engine's packages (PyTorch, nnU-Net and others) into a folder of their own, and
models. What is already installed is kept. Interrupted downloads continue where they stopped."""
_MODELS = """\
Manages the installed models. Without the engine's packages, you can only list and remove models."""
_LIST = """\
Lists the models in the catalogue: which are installed, how large they are, and their licences."""
_INSTALL = """\
Downloads models in the catalogue, converts those in nnU-Net v1 format to v2, and checks them."""
_ADD = """\
Installs a model from a ZIP archive or an unpacked folder: one in the catalogue or your own nnU-Net model. The archive
or folder itself is not changed. Prints the id of the model, or the folder into which your own model was installed.

If the image reader of your own model is SimpleITKIO or NibabelIO, its network sees voxels in the order of the file, and
nothing in the model says in which order they were in training. State it with --orientation: the directions towards
which columns, rows and slices grow (R or L, A or P, S or I), for example LPS for images converted from DICOM by
SimpleITK. Every CT is then brought into that order. Use "file" if the model was trained with images in all orders that
occur. To change the order later, give the folder of the installed model."""
_VERIFY = """\
Checks that the files of installed models are complete and unchanged, and that the engine can load them."""
_REMOVE = """\
Removes models in the catalogue by their ids, or your own models by the names of their folders."""
_REMOVE_ALL = """\
Removes the engine's packages and what was measured on this computer. Results are kept. Models of the catalogue are
removed only with --with-models, and your own models only by their names, which "models list" shows."""
_DOCTOR = """\
Checks the computer, the engine and the models, and says what is wrong and what to do about it. It changes nothing, and
its report names no users, patients or folders. The exit status is 0 if everything is in place, otherwise 1."""
_BUNDLE = """\
Writes a folder from which another computer of the same kind (operating system, processor, Python version) can install
the packages and models without internet access: run "setup --from-folder DIR" there. An interrupted run continues
where it stopped."""
