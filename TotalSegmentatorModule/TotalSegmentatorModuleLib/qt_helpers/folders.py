"""Shows a folder in the system's file manager."""

from __future__ import annotations

from pathlib import Path

import qt
from slicer.i18n import tr as _


def open_folder(folder: Path) -> str:
    """Returns why the folder could not be shown, in a sentence that names it; empty if it was."""
    if not folder.is_dir():
        return _("The folder {folder} does not exist any more.").format(folder=folder)
    if not qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(folder))):
        return _("The system could not open the folder {folder}.").format(folder=folder)
    return ""
