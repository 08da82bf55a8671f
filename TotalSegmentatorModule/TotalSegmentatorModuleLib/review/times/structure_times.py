"""The lines of the Review section about times: turned on and off, read, and deleted."""

from __future__ import annotations

import logging

from slicer.i18n import tr as _
from TotalSegmentatorWire.errors.problem import Problem

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.qt_helpers.questions import confirm_loss
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.review.times.clock import ReviewClock
from TotalSegmentatorModuleLib.review.times.texts import deletion_question, details, summary
from TotalSegmentatorModuleLib.review.times.totals import add_totals, read_totals
from TotalSegmentatorModuleLib.texts.errors import problem_texts

_KEEP_AFTER = 60.0
"""Seconds of review that may be lost where Slicer crashes, and until a file that could not be written is tried
again."""


class StructureTimes:
    """The widgets of ReviewTimes.ui. Counts only while the box is ticked."""

    def __init__(self, ui: Widgets) -> None:
        self._ui = ui
        self._file = settings.review_times_file()
        self._key: str | None = None
        self._problem = ""
        self._keep_at = _KEEP_AFTER
        self._clock = ReviewClock(self._on_look)
        ui.timesCheckBox.checked = settings.is_on(settings.REVIEW_TIMES)
        self._kept = read_totals(self._file)
        ui.timesCheckBox.connect("toggled(bool)", self._on_toggled)
        ui.deleteTimesButton.connect("clicked(bool)", self._on_delete)
        self._show()

    def turn_to(self, key: str | None) -> None:
        """The user turns to the structure of the row ``key``; None: away from the review."""
        is_start = self._key is None
        if key == self._key:
            return
        self._key = key
        if self._ui.timesCheckBox.checked and not settings.is_on(settings.REVIEW_TIMES):  # the user removed all
            self._clock.turn_to(None)
            self._clock.forget()
            self._ui.timesCheckBox.checked = False
        if is_start:
            self._kept = read_totals(self._file)
        if self._ui.timesCheckBox.checked:
            self._clock.turn_to(key)
            if key is None:
                self._keep()
        self._show()

    def close(self) -> None:
        self.turn_to(None)
        self._clock.close()

    def _on_look(self) -> None:
        if sum(self._clock.seconds.values()) > self._keep_at:
            self._keep()
        self._show()

    def _keep(self) -> None:
        if not self._clock.seconds:
            return
        try:
            add_totals(self._file, self._clock.seconds)
        except OSError as error:
            self._report(error)
            self._keep_at = sum(self._clock.seconds.values()) + _KEEP_AFTER
            return
        self._problem, self._keep_at = "", _KEEP_AFTER
        self._clock.forget()
        self._kept = read_totals(self._file)

    def _report(self, error: OSError) -> None:
        logging.warning("The times of the review were not written: %s", error.strerror)
        self._problem = " ".join(
            problem_texts(Problem("REVIEW_TIMES_NOT_WRITABLE", {"folder": str(self._file.parent)}))
        )

    def _show(self) -> None:
        seconds = dict(self._kept)
        for name, more in self._clock.seconds.items():
            seconds[name] = seconds.get(name, 0.0) + more
        text = self._problem or (summary(seconds) if seconds else "")
        label = self._ui.timesLabel
        if label.text != text:
            label.setText(text)
            label.setToolTip(details(seconds) if seconds else "")
        label.setVisible(bool(text))
        self._ui.deleteTimesButton.setVisible(bool(seconds))

    def _on_toggled(self, is_on: bool) -> None:
        settings.turn(settings.REVIEW_TIMES, is_on)
        self._clock.turn_to(self._key if is_on else None)
        self._keep()
        self._show()

    def _on_delete(self) -> None:
        if not confirm_loss(deletion_question(), _("Delete times"), _("Delete")):
            return
        self._clock.forget()
        self._problem, self._keep_at = "", _KEEP_AFTER
        try:
            self._file.unlink(missing_ok=True)
        except OSError as error:
            self._report(error)
        self._kept = read_totals(self._file)
        self._show()
