"""Questions before something is lost."""

from __future__ import annotations

import qt
import slicer


def confirm_loss(text: str, title: str, accept: str) -> bool:
    """Ask; ``accept`` is on the button that goes on. Cancel is the default, so that Enter and Escape lose nothing.

    slicer.util has no message box with a default button. In testing mode Slicer does not ask.
    """
    if slicer.app.testingEnabled():
        return slicer.util.confirmOkCancelDisplay(text, windowTitle=title)
    box = qt.QMessageBox(slicer.util.mainWindow())
    box.icon = qt.QMessageBox.Question
    box.setWindowTitle(title)
    box.text = text
    box.standardButtons = qt.QMessageBox.Ok | qt.QMessageBox.Cancel
    box.button(qt.QMessageBox.Ok).setText(accept)
    box.setDefaultButton(box.button(qt.QMessageBox.Cancel))
    answer = box.exec_()
    box.deleteLater()
    return answer == qt.QMessageBox.Ok
