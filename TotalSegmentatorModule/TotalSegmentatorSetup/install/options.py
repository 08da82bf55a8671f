"""What the command line's options mean for an installation: its network, its sources and its folders."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from TotalSegmentatorSetup.install.offline_folder import MODELS, PACKAGES
from TotalSegmentatorSetup.network.access import PROXY_VARIABLE, NetworkSettings
from TotalSegmentatorSetup.packages.package_store import PackageSources
from TotalSegmentatorSetup.support.folders import (
    default_engines_folder,
    default_models_folder,
)


def network_of(options: argparse.Namespace) -> NetworkSettings:
    proxy = getattr(options, "proxy", None) or os.environ.get(PROXY_VARIABLE)
    return NetworkSettings(proxy or None, getattr(options, "certificate_file", None))


def sources_of(options: argparse.Namespace) -> PackageSources:
    folder = getattr(options, "from_folder", None)
    return PackageSources(
        index_url=getattr(options, "index_url", None),
        extra_index_url=getattr(options, "extra_index_url", None),
        wheel_folder=None if folder is None else wheels_of(folder),
    )


def wheels_of(folder: Path) -> Path:
    """The packages of an offline folder; a plain folder of wheels is one as well."""
    return folder / PACKAGES if (folder / PACKAGES).is_dir() else folder


def archives_of(folder: Path) -> Path:
    """The models' archives of an offline folder."""
    return folder / MODELS if (folder / MODELS).is_dir() else folder


def models_folder_of(options: argparse.Namespace) -> Path:
    return options.models_folder or default_models_folder()


def engines_folder_of(options: argparse.Namespace) -> Path:
    return options.engines_folder or default_engines_folder()
