"""The lines about an approximate result: how well its labels agree with the exact ones, and the way to these."""

from __future__ import annotations

from collections.abc import Callable

from slicer.i18n import tr as _
from TotalSegmentatorWire.agreement.words import is_below
from TotalSegmentatorWire.messages.agreement import Agreement

from TotalSegmentatorModuleLib.agreement.texts import agreement_details, agreement_text
from TotalSegmentatorModuleLib.qt_helpers.disclosure import Disclosure
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets


class AgreementView:
    """agreementLabel with its disclosure, and exactButton, in Messages.ui."""

    def __init__(self, ui: Widgets) -> None:
        self._ui = ui
        self._details = Disclosure(ui.agreementButton, ui.agreementDetailsLabel)
        self._run_exactly: Callable[[], None] | None = None
        ui.exactButton.connect("clicked(bool)", self._on_exact_clicked)
        self.hide()

    def show(
        self, agreement: Agreement | None, run_exactly: Callable[[], None] | None, could_not_check: bool = False
    ) -> None:
        """Of a result; None where its labels are exact or were not checked. ``run_exactly`` starts its job again with
        exact labels, which is offered where the agreement is lower than the user asked for, or where there was a check
        that failed (``could_not_check``); None where that cannot be done."""
        self.hide()
        self._run_exactly = run_exactly
        is_doubtful = could_not_check or (agreement is not None and is_below(agreement))
        self._ui.exactButton.setVisible(run_exactly is not None and is_doubtful)
        if agreement is None:
            return
        details = agreement_details(agreement)
        self._ui.agreementLabel.setText(agreement_text(agreement))
        self._ui.agreementLabel.setToolTip(details)
        self._ui.agreementLabel.setVisible(True)
        self._details.show(_("How this was measured"), details)

    def hide(self) -> None:
        self._run_exactly = None
        self._ui.agreementLabel.setVisible(False)
        self._ui.exactButton.setVisible(False)
        self._details.show("", "")

    def _on_exact_clicked(self) -> None:
        if self._run_exactly is not None:
            self._run_exactly()
