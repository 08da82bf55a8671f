"""The row about a finished result that was not imported: Slicer crashed, or the scene was closed before."""

from __future__ import annotations

from collections.abc import Callable

import slicer
from slicer.i18n import tr as _
from TotalSegmentatorWire.messages.segment import ResultHeader

from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.segment.progress_text import unimported_text


class UnimportedResultsSection:
    """Offers results that were not imported, one at a time, the latest first."""

    def __init__(self, ui: Widgets, on_import: Callable[[str], None], on_discard: Callable[[str], None]) -> None:
        self._ui = ui
        self._on_import = on_import
        self._on_discard = on_discard
        self._headers: list[ResultHeader] = []
        ui.importButton.connect("clicked(bool)", self._on_import_clicked)
        ui.discardButton.connect("clicked(bool)", self._on_discard_clicked)
        self.show([])

    def show(self, headers: list[ResultHeader]) -> None:
        """``headers``: results that were not imported, oldest first."""
        self._headers = list(headers)
        if self._headers:
            self._ui.resultLabel.setText(unimported_text(self._headers[-1]))
        self._ui.resultFrame.setVisible(bool(self._headers))

    def set_enabled(self, is_enabled: bool) -> None:
        self._ui.resultFrame.setEnabled(is_enabled)

    def _on_import_clicked(self) -> None:
        header = self._headers.pop()
        self.show(self._headers)
        self._on_import(header.job_id)

    def _on_discard_clicked(self) -> None:
        question = _("Delete this finished segmentation? This cannot be undone.")
        if slicer.util.confirmOkCancelDisplay(question, windowTitle=_("TotalSegmentator")):
            header = self._headers.pop()
            self.show(self._headers)
            self._on_discard(header.job_id)
