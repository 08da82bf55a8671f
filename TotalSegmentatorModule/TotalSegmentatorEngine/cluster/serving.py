"""Runs a part of a Dask cluster until it ends by itself or somebody stops it."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import Any

from TotalSegmentatorWire.command.terminal import Terminal


async def serve(server: Any, ready: str, ended: str) -> None:
    """``server``: a Scheduler or a Nanny that has started; it is closed. What ``ready`` and ``ended`` say is shown."""
    terminal = Terminal()
    with suppress(NotImplementedError):  # Windows knows Ctrl+C only, which cancels the task as well
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, asyncio.current_task().cancel)
    terminal.show_note(ready)
    try:
        await server.finished()
        terminal.show_note(ended)
    except asyncio.CancelledError:
        terminal.show_note("stopped")
    finally:
        await server.close()
