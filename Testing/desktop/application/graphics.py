"""Is what Qt and VTK need of the operating system there? Said in one line with the command that installs it."""

from __future__ import annotations

import ctypes
import os
import sys

_PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11.so.6": "libx11-6",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libglib-2.0.so.0": "libglib2.0-0",
}
"""What the PySide6 and VTK wheels expect of a Linux machine (their NEEDED entries) -> package of Debian and Ubuntu."""


class GraphicsLibraryMissingError(RuntimeError):
    """A shared library of the operating system is missing; the text names it and the command that installs it."""


def prepare_graphics() -> None:
    """Choose the off-screen platform and check the libraries. Raises GraphicsLibraryMissingError."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    if not sys.platform.startswith("linux"):
        return
    if not os.environ.get("DISPLAY"):
        os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")  # else VTK tries X first and warns
    missing = [name for name in _PACKAGES if not _loads(name)]
    if missing:
        packages = " ".join(_PACKAGES[name] for name in missing)
        raise GraphicsLibraryMissingError(
            f"Missing on this machine: {', '.join(missing)}. Install with: sudo apt-get install -y {packages}"
        )


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True
