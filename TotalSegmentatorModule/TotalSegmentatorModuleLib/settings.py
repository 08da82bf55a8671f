"""The module's settings, which belong to the computer and not to the scene."""

from __future__ import annotations

import logging
from pathlib import Path

import qt
import slicer
from TotalSegmentatorWire.edits_file import delete_edits, edits_file
from TotalSegmentatorWire.user_folders import data_folder, default_engines_folder, default_models_folder

PREFIX = "TotalSegmentatorModule/"
ENGINE_PACKAGES = "EnginePackagesFolder"
ENGINES = "EnginesFolder"
MODELS = "ModelsFolder"
PROXY = "Proxy"
CERTIFICATE_FILE = "CertificateFile"
INDEX_URL = "IndexUrl"
EXTRA_INDEX_URL = "ExtraIndexUrl"
OFFLINE_FOLDER = "OfflineFolder"
TORCH_VARIANT = "TorchVariant"
EXPORT_FORMAT = "ExportFormat"
EXPORT_CHOICE = "ExportChoice"
EXPORT_TEMPLATE = "ExportTemplate"
EXPORT_NAMES = "ExportNames"
EXPORT_SET_LABEL = "ExportSetLabel"
EXPORT_FOLDER = "ExportFolder"
EXPORT_OUTLINE = "ExportBodyOutline"
EXPORT_TO_DATABASE = "ExportToDatabase"
EXPORT_HOLES = "ExportHoles"
EXPORT_SMOOTH = "ExportSmoothContours"
EXPORT_ISLAND = "ExportSmallestIsland"
EXPORT_SPACE = "ExportSpace"
COMPARE_WITH = "CompareWith"
COMPARE_PAIRS = "ComparePairs"
EARLY_START_OFF = "EarlyStartOff"
REVIEW_TIMES = "ReviewTimes"
REVIEW_EDITS = "ReviewEdits"
MODEL = "Model"
MODEL_FOLDER = "ModelFolder"
DEVICE = "Device"
PREVIEW = "Preview"
SERVER_ADDRESS = "ServerAddress"
SERVER_CA = "ServerCertificateAuthority"
SERVER_CERTIFICATE = "ServerClientCertificate"
SERVER_KEY = "ServerClientKey"
SERVER_CHOSEN = "ServerChosen"
SERVER_CONSENT = "ServerConsent"
_WORK = "WorkFolder"
_ON = "on"


def engine_packages_folder() -> Path | None:
    """Folder with engine packages that the user installed by hand; None where others are used."""
    return _folder(ENGINE_PACKAGES)


def engines_folder() -> Path:
    """Folder with the engine packages that the set-up installs; by default the command line's."""
    return _folder(ENGINES) or default_engines_folder()


def models_folder() -> Path:
    """Folder with the installed models of the catalogue; by default the command line's."""
    return _folder(MODELS) or default_models_folder()


def work_folder() -> Path:
    """Private folder for CTs and results under way; by default in Slicer's cache."""
    return _folder(_WORK) or Path(slicer.app.cachePath) / "TotalSegmentatorModule"


def review_times_file() -> Path:
    """Where the time for each structure is kept if the user has turned that on."""
    return data_folder() / "review-times.json"


def presets_folder() -> Path:
    """Where the user's own presets are kept."""
    return data_folder() / "presets"


def is_on(key: str) -> bool:
    """Whether what is off at first was turned on (``turn``)."""
    return text(key) == _ON


def turn(key: str, is_on: bool) -> None:
    set_text(key, _ON if is_on else "")


def text(key: str) -> str:
    """The value of one of the keys above; empty if there is none."""
    return slicer.util.settingsValue(PREFIX + key, "") or ""


def set_text(key: str, value: str) -> None:
    """An empty ``value`` means the default."""
    settings = qt.QSettings()
    if value.strip():
        settings.setValue(PREFIX + key, value.strip())
    else:
        settings.remove(PREFIX + key)


def keys() -> list[str]:
    """What is stored, below PREFIX."""
    stored = qt.QSettings().allKeys()
    return [key[len(PREFIX) :] for key in stored if key.startswith(PREFIX)]


def forget_all() -> None:
    """Remove everything that the module has stored, as if it had never been used."""
    times = review_times_file()
    try:
        delete_edits(edits_file())
        times.unlink(missing_ok=True)
        if times.parent.is_dir() and not any(times.parent.iterdir()):
            times.parent.rmdir()
    except OSError as error:
        logging.warning("The times and edits of reviews were not removed: %s", error.strerror)
    settings = qt.QSettings()
    for key in keys():
        settings.remove(PREFIX + key)


def _folder(key: str) -> Path | None:
    path = text(key)
    return Path(path) if path else None
