"""The lower part of the Export section: button, progress, errors, warnings, result."""

from __future__ import annotations

from pathlib import Path

import qt
from slicer.i18n import tr as _
from TotalSegmentatorWire.errors import Problem

from .error_texts import problem_texts
from .export_session import ExportResult
from .export_texts import export_result_text, export_step_text
from .one_shot_process import Failure

_STEPS = 1000
"""The bar counts in thousandths."""


class ExportPage:
    """Shows. What it says stays until it is dismissed or the next export begins."""

    def __init__(self, ui) -> None:
        self._ui = ui
        self._warnings: list[str] = []
        self._folder: Path | None = None
        bold = ui.exportErrorWhatLabel.font
        bold.setBold(True)
        ui.exportErrorWhatLabel.setFont(bold)
        ui.exportErrorLogButton.connect("clicked(bool)", self._on_show_log)
        ui.exportErrorDismissButton.connect("clicked(bool)", self._on_dismiss)
        ui.exportOpenFolderButton.connect("clicked(bool)", self._on_open_folder)
        ui.exportProgressFrame.setVisible(False)
        self.clear()

    def clear(self) -> None:
        """A new export begins."""
        self._warnings = []
        for frame in (self._ui.exportErrorFrame, self._ui.exportWarningFrame, self._ui.exportResultFrame):
            frame.setVisible(False)

    def show_ready(self, obstacle: str, note: str) -> None:
        """``obstacle``: why nothing can be exported now; ``note``: what to know beforehand. Both may be empty."""
        self._ui.exportButton.setText(_("Export"))
        self._ui.exportButton.setEnabled(not obstacle)
        self._ui.exportProgressFrame.setVisible(False)
        self._ui.exportHintLabel.setText(obstacle or note)
        self._ui.exportHintLabel.setVisible(bool(obstacle or note))

    def show_busy(self, is_cancelling: bool) -> None:
        self._ui.exportButton.setText(_("Cancelling...") if is_cancelling else _("Cancel"))
        self._ui.exportButton.setEnabled(not is_cancelling)
        self._ui.exportHintLabel.setVisible(False)
        self._ui.exportProgressFrame.setVisible(True)

    def show_progress(self, fraction: float, step: str, item: str) -> None:
        self._ui.exportProgressBar.setValue(round(fraction * _STEPS))
        self._ui.exportStepLabel.setText(export_step_text(step, item))

    def show_failed(self, failure: Failure) -> None:
        self._ui.exportErrorWhatLabel.setText(failure.what)
        self._ui.exportErrorTodoLabel.setText(failure.todo)
        self._ui.exportErrorTodoLabel.setVisible(bool(failure.todo))
        self._ui.exportErrorCodeLabel.setText(_("Code: {code}").format(code=failure.code))
        self._ui.exportErrorFrame.setVisible(True)

    def add_warning(self, problem: Problem) -> None:
        sentences = " ".join(problem_texts(problem))
        if sentences not in self._warnings:
            self._warnings.append(sentences)
        self._ui.exportWarningLabel.setText("\n\n".join(self._warnings))
        self._ui.exportWarningFrame.setVisible(True)

    def show_cancelled(self) -> None:
        self._show_result(_("Cancelled. Nothing was written."), None)

    def show_result(self, result: ExportResult) -> None:
        self._show_result(export_result_text(result), result.folder)

    def _show_result(self, text: str, folder: Path | None) -> None:
        self._folder = folder
        self._ui.exportResultLabel.setText(text)
        self._ui.exportOpenFolderButton.setVisible(folder is not None)
        self._ui.exportResultFrame.setVisible(True)

    # -- slots ---------------------------------------------------------------------------------------------------------

    def _on_show_log(self) -> None:
        self._ui.logCollapsibleButton.collapsed = False

    def _on_dismiss(self) -> None:
        self._ui.exportErrorFrame.setVisible(False)

    def _on_open_folder(self) -> None:
        if self._folder is not None:
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self._folder)))
