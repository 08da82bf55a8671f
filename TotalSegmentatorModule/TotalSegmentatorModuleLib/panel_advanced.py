"""The Advanced section: folders of this computer, kept in Slicer's settings."""

from __future__ import annotations

from collections.abc import Callable

from . import settings
from .path_line import follow_path


class AdvancedPanel:
    """``on_engine_changed`` is called when the engine must be started anew, ``on_models_changed`` when models moved."""

    def __init__(self, ui, on_engine_changed: Callable[[], None], on_models_changed: Callable[[], None]) -> None:
        self._ui = ui
        self._on_engine_changed = on_engine_changed
        self._on_models_changed = on_models_changed
        ui.enginePackagesPathLineEdit.currentPath = settings.stored_text(settings.engine_packages_folder())
        ui.modelsFolderPathLineEdit.currentPath = settings.stored_text(settings.models_folder())
        follow_path(ui.enginePackagesPathLineEdit, self._on_packages_path)
        follow_path(ui.modelsFolderPathLineEdit, self._on_models_path)

    def set_enabled(self, is_enabled: bool) -> None:
        self._ui.enginePackagesPathLineEdit.setEnabled(is_enabled)
        self._ui.modelsFolderPathLineEdit.setEnabled(is_enabled)

    def _on_packages_path(self, path: str) -> None:
        settings.set_engine_packages_folder(path)
        self._on_engine_changed()

    def _on_models_path(self, path: str) -> None:
        settings.set_models_folder(path)
        self._on_models_changed()
