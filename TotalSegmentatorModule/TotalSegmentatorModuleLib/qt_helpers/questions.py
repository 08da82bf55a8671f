"""Questions before something is lost."""

from __future__ import annotations

import qt
import slicer


def confirm_loss(text: str, title: str, accept: str, decline: str = "") -> bool:
    """Ask; ``accept`` is on the button that goes on. Cancel, or what ``decline`` calls it, is the default, so that
    Enter and Escape lose nothing.

    slicer.util has no message box with a default button. In testing mode Slicer does not ask.
    """
    return confirm_with_option(text, title, accept, "", decline)[0]


def confirm_with_option(text: str, title: str, accept: str, option: str, decline: str = "") -> tuple[bool, bool]:
    """The same with a check box, which is off; whether the user accepts, and has ticked it. Without ``option``, a text,
    there is no check box."""
    if slicer.app.testingEnabled():
        return slicer.util.confirmOkCancelDisplay(text, windowTitle=title), False
    box = qt.QMessageBox(slicer.util.mainWindow())
    box.icon = qt.QMessageBox.Question
    box.setWindowTitle(title)
    box.text = text
    box.standardButtons = qt.QMessageBox.Ok | qt.QMessageBox.Cancel
    box.button(qt.QMessageBox.Ok).setText(accept)
    if decline:
        box.button(qt.QMessageBox.Cancel).setText(decline)
    box.setDefaultButton(box.button(qt.QMessageBox.Cancel))
    check_box = qt.QCheckBox(option) if option else None
    if check_box is not None:
        box.setCheckBox(check_box)
    answer = box.exec_()
    is_ticked = check_box is not None and check_box.checked
    box.deleteLater()
    return answer == qt.QMessageBox.Ok, is_ticked
