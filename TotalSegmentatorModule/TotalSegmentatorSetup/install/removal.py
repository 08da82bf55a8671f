"""Removes what the product has put on this computer: packages, models, measurements and compiled networks."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Collection
from pathlib import Path

from TotalSegmentatorWire.user_folders import COMPILED, MEASUREMENTS, STORED_NETWORKS, cache_folder, data_folder

from TotalSegmentatorSetup.install.installation import Installation


def remove_installation(installation: Installation, with_models: bool, own_models: Collection[str]) -> None:
    """The packages and the caches; ``with_models`` the models of the catalogue; of the user's own only those named.

    Raises SegmentationError: "MODEL_UNKNOWN" before anything is removed, "SETUP_BUSY", "FILE_LOCKED".
    """
    models = installation.models
    models.check_own(own_models)
    installation.packages.remove_all()
    if with_models:
        models.remove_all(own_models)
    else:
        for name in own_models:
            models.remove(name)
    remove_caches()
    _remove_if_empty(data_folder())


def remove_caches() -> None:
    """What was measured and compiled on this computer; other files in that folder stay."""
    try:
        folder = cache_folder()
    except RuntimeError:  # the system knows no home folder, so nothing was kept
        return
    for file in folder.glob(MEASUREMENTS):
        with contextlib.suppress(OSError):  # in use by a running job, which writes it anew anyway
            file.unlink()
    for kept in (COMPILED, STORED_NETWORKS):
        shutil.rmtree(folder / kept, ignore_errors=True)
    _remove_if_empty(folder)
    if folder.name == "cache":  # Windows: the folder above it is the product's, too
        _remove_if_empty(folder.parent)


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
