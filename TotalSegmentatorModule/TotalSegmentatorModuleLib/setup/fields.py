"""The fields of the Set-up section: where to install and where to download from, and the department server; kept in
the settings."""

from __future__ import annotations

import platform
from collections.abc import Callable

from slicer.i18n import tr as _
from TotalSegmentatorSetup.packages.torch_variant import read_torch_variants

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.qt_helpers.path_line import follow_path
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets


class SetupFields:
    """``on_engine_changed`` is called when the engine has to restart, ``on_models_changed`` for another folder,
    ``on_server_changed`` for another department server."""

    def __init__(
        self,
        ui: Widgets,
        on_engine_changed: Callable[[], None],
        on_models_changed: Callable[[], None],
        on_server_changed: Callable[[], None],
    ) -> None:
        self._ui = ui
        self._on_server_changed = on_server_changed
        self._server_files = {
            ui.serverAuthorityPathLineEdit: (ui.serverAuthorityLabel, settings.SERVER_CA),
            ui.serverCertificatePathLineEdit: (ui.serverCertificateLabel, settings.SERVER_CERTIFICATE),
            ui.serverKeyPathLineEdit: (ui.serverKeyLabel, settings.SERVER_KEY),
        }
        self._follow(ui.enginePackagesPathLineEdit, settings.ENGINE_PACKAGES, on_engine_changed)
        self._follow(ui.enginesFolderPathLineEdit, settings.ENGINES, on_engine_changed)
        self._follow(ui.modelsFolderPathLineEdit, settings.MODELS, on_models_changed)
        self._follow(ui.offlineFolderPathLineEdit, settings.OFFLINE_FOLDER)
        self._follow(ui.certificatePathLineEdit, settings.CERTIFICATE_FILE)
        self._keep(ui.proxyLineEdit, settings.PROXY)
        self._keep(ui.indexUrlLineEdit, settings.INDEX_URL)
        self._keep(ui.extraIndexUrlLineEdit, settings.EXTRA_INDEX_URL)
        for path_line, (_label, key) in self._server_files.items():
            self._follow(path_line, key)
        self._keep(ui.serverLineEdit, settings.SERVER_ADDRESS)
        ui.serverLineEdit.connect("textChanged(QString)", self._on_server)
        self._show_server_files()
        self._offer_variants()

    def set_enabled(self, is_enabled: bool) -> None:
        """Lock the fields while a job or an installation runs."""
        self._ui.fieldsWidget.setEnabled(is_enabled)

    def choose_offline_folder(self, folder: str) -> None:
        self._ui.offlineFolderPathLineEdit.currentPath = folder  # its signal stores it

    def show_defaults(self) -> None:
        """The settings were forgotten."""
        ui = self._ui
        for path_line in (
            ui.enginePackagesPathLineEdit,
            ui.enginesFolderPathLineEdit,
            ui.modelsFolderPathLineEdit,
            ui.offlineFolderPathLineEdit,
            ui.certificatePathLineEdit,
            *self._server_files,
        ):
            path_line.currentPath = ""
        for line in (ui.proxyLineEdit, ui.indexUrlLineEdit, ui.extraIndexUrlLineEdit, ui.serverLineEdit):
            line.setText("")
        ui.torchVariantComboBox.setCurrentIndex(0)

    def _follow(self, path_line, key: str, on_changed: Callable[[], None] | None = None) -> None:
        def on_path(path: str) -> None:
            settings.set_text(key, path)
            if on_changed is not None:
                on_changed()

        path_line.currentPath = settings.text(key)
        follow_path(path_line, on_path)

    def _keep(self, line, key: str) -> None:
        line.setText(settings.text(key))
        line.connect("textChanged(QString)", lambda text: settings.set_text(key, text))

    def _on_server(self, _text: str) -> None:
        self._show_server_files()
        self._on_server_changed()

    def _show_server_files(self) -> None:
        """Only where there is an address."""
        for path_line, (label, _key) in self._server_files.items():
            label.setVisible(bool(settings.text(settings.SERVER_ADDRESS)))
            path_line.setVisible(bool(settings.text(settings.SERVER_ADDRESS)))

    def _offer_variants(self) -> None:
        combo = self._ui.torchVariantComboBox
        combo.addItem(_("Automatic"), "")
        for variant in read_torch_variants():
            if variant.system == platform.system():
                combo.addItem(variant.device_title, variant.id)
        index = combo.findData(settings.text(settings.TORCH_VARIANT))
        combo.setCurrentIndex(max(index, 0))
        combo.connect("activated(int)", self._on_variant)

    def _on_variant(self, index: int) -> None:
        settings.set_text(settings.TORCH_VARIANT, self._ui.torchVariantComboBox.itemData(index) or "")
