"""The choice "Run on" above Apply. It appears when the settings name a department server."""

from __future__ import annotations

from collections.abc import Callable

from slicer.i18n import tr as _
from TotalSegmentatorWire.messages.department_server import DepartmentServer

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.department_server.server_settings import agree, chosen_server, is_agreed, stored_server
from TotalSegmentatorModuleLib.department_server.texts import (
    consent_question,
    job_leaves_text,
    leaves_text,
    notice_text,
    sent_text,
)
from TotalSegmentatorModuleLib.qt_helpers.questions import confirm_loss
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets

_HERE, _SERVER = "", "server"


class RunOnSection:
    """The last widgets of Inputs.ui. ``notice`` has the line below all sections. ``on_changed`` is called when the
    choice has changed, and gets whether it is the server.

    The choice is kept in the settings and not in the scene: a scene from elsewhere must send nothing anywhere.
    """

    def __init__(self, ui: Widgets, notice: Widgets, on_changed: Callable[[bool], None]) -> None:
        self._ui = ui
        self._notice = notice
        self._on_changed = on_changed
        self._server_of_job: DepartmentServer | None = None
        ui.runOnComboBox.addItem(_("This computer"), _HERE)
        ui.runOnComboBox.addItem(_("Department server"), _SERVER)
        ui.runOnComboBox.connect("activated(int)", self._on_activated)
        bold = ui.leavesLabel.font
        bold.setBold(True)
        ui.leavesLabel.setFont(bold)
        ui.sentLabel.setText(sent_text())
        self.refresh()

    @property
    def server(self) -> DepartmentServer | None:
        """Where jobs run; None for this computer."""
        return chosen_server()

    def refresh(self) -> None:
        """The settings may have changed. Without an address this computer is chosen, also for a later one."""
        if stored_server() is None:
            settings.turn(settings.SERVER_CHOSEN, is_on=False)
        server = chosen_server()
        for widget in (self._ui.runOnLabel, self._ui.runOnComboBox):
            widget.setVisible(stored_server() is not None)
        self._ui.runOnComboBox.setCurrentIndex(self._ui.runOnComboBox.findData(_HERE if server is None else _SERVER))
        self._show_statement()
        self._on_changed(server is not None)

    def choose_this_computer(self) -> None:
        settings.turn(settings.SERVER_CHOSEN, is_on=False)
        self.refresh()

    def show_job(self, is_running: bool, server: DepartmentServer | None) -> None:
        """Lock the choice while a job runs. ``server``: where it runs; a script names its own place."""
        self._ui.runOnComboBox.setEnabled(not is_running)
        self._server_of_job = server if is_running else None
        self._show_statement()

    def may_send(self, server: DepartmentServer) -> bool:
        """Whether the user agrees that images go there; asks once for each address."""
        if is_agreed(server.address):
            return True
        title, accept = _("Send the image to the department server?"), _("Send")
        if not confirm_loss(consent_question(server.address), title, accept):
            return False
        agree(server.address)
        return True

    def _show_statement(self) -> None:
        """Whether an image leaves this computer: with the next job, or with the one that is running."""
        chosen, of_job = chosen_server(), self._server_of_job
        text = ""
        if chosen is not None:
            text = leaves_text((of_job or chosen).address)
        elif of_job is not None:
            text = job_leaves_text(of_job.address)
        self._ui.statementFrame.setVisible(bool(text))
        self._ui.leavesLabel.setText(text)
        self._notice.noticeLabel.setText(notice_text(is_on_server=bool(text)))

    def _on_activated(self, index: int) -> None:
        settings.turn(settings.SERVER_CHOSEN, is_on=self._ui.runOnComboBox.itemData(index) == _SERVER)
        self.refresh()
