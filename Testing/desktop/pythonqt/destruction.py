"""The end of widgets, as PythonQt knows it: whoever still holds a child holds nothing.

PySide does not notice that Qt deletes objects which Qt has made, such as those of a .ui. Their Python objects would go
on standing for whatever is made at the same address later, which Qt then gets, or is found, as something else.
"""

from __future__ import annotations

import shiboken6
from PySide6 import QtCore, QtWidgets


def destroy(top: QtCore.QObject) -> None:
    """Deletes ``top`` with all that is below it."""
    below = top.findChildren(QtCore.QObject)
    shiboken6.delete(top)
    for child in below:
        if shiboken6.isValid(child):
            shiboken6.invalidate(child)


def present_widget(found: QtWidgets.QWidget | None) -> QtWidgets.QWidget | None:
    """The widget that Qt means by ``found``. For one that Qt has made, PySide may give the Python object of another
    that was at its address, which takes its children along when it goes."""
    if found is None or shiboken6.createdByPython(found):
        return found
    address = shiboken6.getCppPointer(found)[0]
    shiboken6.invalidate(found)
    return shiboken6.wrapInstance(address, QtWidgets.QWidget)
