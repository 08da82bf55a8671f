"""Slicer's DICOM database: whether it can be asked, and when its answers may have changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import slicer

OPENED_OR_CLOSED = ("opened()", "closed()")
ANY_CHANGE = (*OPENED_OR_CLOSED, "databaseChanged()")
"""Signals of ctkDICOMDatabase. An import emits the last one many times a second."""


def open_database():
    """Slicer's ctkDICOMDatabase; None where the DICOM module is switched off or no database is open."""
    database = getattr(slicer, "dicomDatabase", None)
    return database if database is not None and database.isOpen else None


class DatabaseWatch:
    """Calls ``on_changed`` at each of the ``signals``, one of the lists above, until ``close``.

    The database comes into being with the DICOM module, maybe after the panel: call ``follow`` from time to time.
    """

    def __init__(self, on_changed: Callable[[], None], signals: Sequence[str] = ANY_CHANGE) -> None:
        self._on_changed = on_changed
        self._signals = signals
        self._database = None
        self._is_closed = False
        self.follow()

    def follow(self) -> None:
        database = getattr(slicer, "dicomDatabase", None)
        if database is self._database or self._is_closed:
            return
        self._release()
        self._database = database
        for signal in self._signals if database is not None else ():
            database.connect(signal, self._on_changed)

    def close(self) -> None:
        """For good: a panel that ends may still be told to show what it had."""
        self._is_closed = True
        self._release()

    def _release(self) -> None:
        database, self._database = self._database, None
        if database:  # false where it is gone
            for signal in self._signals:
                database.disconnect(signal, self._on_changed)
