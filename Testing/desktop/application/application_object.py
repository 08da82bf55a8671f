"""``slicer.app`` and the module manager as Qt objects, so that PythonQt's rules hold for them too."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6 import QtCore, QtWidgets

from desktop.application.layout_manager import qSlicerLayoutManager
from desktop.pythonqt.destruction import destroy
from desktop.pythonqt.slot_runtime import RUNTIME
from desktop.widgets.native_properties import stored

VERSION = (5, 12, 3)
"""The Slicer version that the stand-in says it is."""


class qSlicerModuleManager(QtCore.QObject):  # noqa: N801 - Slicer's name
    """Knows the modules by name and says when one goes."""

    moduleAboutToBeUnloaded = QtCore.Signal(str)
    moduleLoaded = QtCore.Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._modules: dict[str, Any] = {}

    def module(self, name: str) -> Any:
        return self._modules.get(name)

    def modulesNames(self) -> list[str]:
        return list(self._modules)

    def isLoaded(self, name: str) -> bool:
        return name in self._modules

    def factoryManager(self) -> Any:
        return self

    def loadedModuleNames(self) -> list[str]:
        return list(self._modules)

    def unloadModules(self) -> None:
        """Every module's ``cleanup``, the last one first, each followed by the end of its widgets."""
        for name in reversed(list(self._modules)):
            widget = self._modules[name].made_representation()
            if widget is not None and widget.property("isEntered"):
                widget.exit()  # the main window turns to no module first
            self.moduleAboutToBeUnloaded.emit(name)
            del self._modules[name]
            if widget is not None:
                destroy(widget)


class qSlicerApplication(QtWidgets.QApplication):  # noqa: N801 - Slicer's name
    """The application object. One per process, as Qt demands; ``begin`` gives it a session's scene and folders."""

    startupCompleted = QtCore.Signal()
    renderPaused = QtCore.Signal(bool)
    temporaryPath = stored(str, "temporaryPath", "")
    cachePath = stored(str, "cachePath", "")
    slicerHome = stored(str, "slicerHome", "")
    defaultScenePath = stored(str, "defaultScenePath", "")
    extensionsInstallPath = stored(str, "extensionsInstallPath", "")
    launcherExecutableFilePath = QtCore.Property(str, lambda self: sys.executable)
    majorVersion = QtCore.Property(int, lambda self: VERSION[0])
    minorVersion = QtCore.Property(int, lambda self: VERSION[1])
    mainApplicationName = QtCore.Property(str, lambda self: "Slicer")
    mainApplicationMajorVersion = QtCore.Property(int, lambda self: VERSION[0])
    mainApplicationMinorVersion = QtCore.Property(int, lambda self: VERSION[1])
    mainApplicationPatchVersion = QtCore.Property(int, lambda self: VERSION[2])
    mainApplicationRevision = QtCore.Property(str, lambda self: "33333")
    revision = QtCore.Property(str, lambda self: "33333")
    repositoryRevision = QtCore.Property(str, lambda self: "stand-in")
    releaseType = QtCore.Property(str, lambda self: "Stable")
    platform = QtCore.Property(str, lambda self: f"{sys.platform}-stand-in")
    os = QtCore.Property(str, lambda self: {"win32": "win", "darwin": "macosx"}.get(sys.platform, "linux"))
    isInstalled = QtCore.Property(bool, lambda self: True)
    documentationBaseUrl = QtCore.Property(str, lambda self: "https://slicer.readthedocs.io/en/latest/")
    applicationLocaleName = QtCore.Property(str, lambda self: "en-US")

    def __init__(self) -> None:
        super().__init__(["Slicer"])
        self.setApplicationName("Slicer")
        self.setOrganizationName("slicer.org")
        self.setApplicationVersion(".".join(str(number) for number in VERSION))
        self.setQuitOnLastWindowClosed(False)
        self._world: Any = None
        self._manager = qSlicerModuleManager()
        self._layout: Any = None
        self._settings: Any = None
        self._environment: dict[str, str] = {}
        self._pauses = 0
        self.is_testing = True
        # before whatever modules connect: they are unloaded while the application is about to quit
        self.aboutToQuit.connect(lambda: self._manager.unloadModules())

    def begin(self, world: Any, folder: Path) -> None:
        """Start a session: its scene, its folders, empty settings, no modules."""
        self._world = world
        self._manager = qSlicerModuleManager()
        self._layout = qSlicerLayoutManager(world)
        self._environment = dict(os.environ)
        for key, name in (("temporaryPath", "temporary"), ("cachePath", "cache"), ("slicerHome", "home")):
            (folder / name).mkdir(parents=True, exist_ok=True)
            self.setProperty(key, str(folder / name))
        QtCore.QSettings.setDefaultFormat(QtCore.QSettings.Format.IniFormat)
        for scope in (QtCore.QSettings.Scope.UserScope, QtCore.QSettings.Scope.SystemScope):
            QtCore.QSettings.setPath(QtCore.QSettings.Format.IniFormat, scope, str(folder / "settings"))
        self._settings = QtCore.QSettings()
        self._settings.clear()

    # -- the scene and the logics --------------------------------------------------------------------------------------
    def mrmlScene(self) -> Any:
        return self._world.scene

    def applicationLogic(self) -> Any:
        return self._world.application_logic

    def moduleLogic(self, name: str) -> Any:
        return self._world.logics.get(name)

    def moduleManager(self) -> Any:
        return self._manager

    def layoutManager(self) -> Any:
        return self._layout

    def dicomDatabase(self) -> Any:
        import slicer

        return slicer.dicomDatabase

    # -- settings and environment --------------------------------------------------------------------------------------
    def settings(self) -> QtCore.QSettings:
        return self._settings

    userSettings = settings
    revisionUserSettings = settings

    def startupEnvironment(self) -> QtCore.QProcessEnvironment:
        """The environment in which the stand-in was started, as it was then."""
        environment = QtCore.QProcessEnvironment()
        for key, value in self._environment.items():
            environment.insert(key, value)
        return environment

    environment = startupEnvironment

    def testingEnabled(self) -> bool:
        """As ``Slicer --testing``: message boxes answer themselves."""
        return self.is_testing

    def translate(self, context: str, text: str) -> str:
        return text

    def moduleDocumentationUrl(self, name: str) -> str:
        return f"https://slicer.readthedocs.io/en/latest/user_guide/modules/{name.lower()}.html"

    def toSlicerHomeAbsolutePath(self, path: str) -> str:
        return str(Path(self.property("slicerHome")) / path)

    def logUsageEvent(self, component: str, event: str) -> None:
        """Slicer sends nothing either unless the user has agreed."""

    # -- rendering -----------------------------------------------------------------------------------------------------
    def pauseRender(self) -> None:
        self._pauses += 1
        self.renderPaused.emit(True)

    def resumeRender(self) -> None:
        self._pauses = max(0, self._pauses - 1)
        self.renderPaused.emit(self._pauses > 0)

    def setRenderPaused(self, paused: bool) -> None:
        (self.pauseRender if paused else self.resumeRender)()

    def quit_session(self) -> None:
        """Emit ``aboutToQuit`` from a real end of the event loop; the object itself stays for the next session."""
        QtCore.QTimer.singleShot(0, self.quit)
        with RUNTIME.returned_to_event_loop():
            self.exec()


def _message(kind: QtCore.QtMsgType, _context: QtCore.QMessageLogContext, text: str) -> None:
    """Qt's warnings go to stderr, except what the off-screen platform says of every window."""
    if "propagateSizeHints" not in text:
        print(f"Qt {kind.name}: {text}", file=sys.stderr)


def application(create: Callable[[], qSlicerApplication] = qSlicerApplication) -> qSlicerApplication:
    """The process's application object. RuntimeError when somebody else has made a plain QApplication."""
    existing = QtWidgets.QApplication.instance()
    if existing is None:
        QtCore.qInstallMessageHandler(_message)
        return create()
    if not isinstance(existing, qSlicerApplication):
        raise RuntimeError("A QApplication exists already; the stand-in must make its own")
    return existing
