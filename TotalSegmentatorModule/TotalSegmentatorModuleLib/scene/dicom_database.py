"""Slicer's DICOM database: whether it can be asked, and when its answers may have changed."""

from __future__ import annotations

from collections.abc import Callable

import slicer

_SIGNALS = ("opened()", "closed()", "databaseChanged()")


def open_database():
    """Slicer's ctkDICOMDatabase; None where the DICOM module is switched off or no database is open."""
    database = getattr(slicer, "dicomDatabase", None)
    return database if database is not None and database.isOpen else None


class DatabaseWatch:
    """Calls ``on_changed`` when the database is opened or closed, or when its contents change, until ``close``.

    The database comes into being with the DICOM module, maybe after the panel: call ``follow`` from time to time.
    """

    def __init__(self, on_changed: Callable[[], None]) -> None:
        self._on_changed = on_changed
        self._database = None
        self.follow()

    def follow(self) -> None:
        database = getattr(slicer, "dicomDatabase", None)
        if database is self._database:
            return
        self.close()
        self._database = database
        for signal in _SIGNALS if database is not None else ():
            database.connect(signal, self._on_changed)

    def close(self) -> None:
        database, self._database = self._database, None
        if database:  # false where it is gone
            for signal in _SIGNALS:
                database.disconnect(signal, self._on_changed)
