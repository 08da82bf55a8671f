"""Waiting in a script: Slicer stays usable, and no core is kept busy."""

from __future__ import annotations

from collections.abc import Callable

import qt

_LOOK_MS = 20


def wait_until(is_done: Callable[[], bool]) -> bool:
    """Run Qt's event loop, which sleeps between events, until ``is_done()``; returns what that says then.

    It is False only where Slicer quits meanwhile: that ends every event loop.
    """
    if is_done():
        return True
    loop = qt.QEventLoop()

    def look() -> None:
        if is_done():
            loop.quit()

    timer = qt.QTimer()
    timer.setInterval(_LOOK_MS)
    timer.connect("timeout()", look)
    timer.start()
    try:
        loop.exec_()
    finally:
        timer.stop()
        timer.disconnect("timeout()", look)
    return is_done()
