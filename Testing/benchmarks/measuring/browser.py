"""When a browser shows a page: headless Chromium, asked through its own debugging port on this computer."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from environment import SetupError

_START_SECONDS, _LOAD_SECONDS = 60.0, 120.0
_TIMES = (
    "JSON.stringify([performance.getEntriesByType('paint').map(e => e.startTime)[0],"
    " performance.timing.loadEventEnd - performance.timing.navigationStart])"
)


@dataclass(frozen=True)
class PageTimes:
    """Seconds since the page was asked for."""

    first_paint: float
    loaded: float
    """All of it is there, and can be scrolled."""


def page_times(page: Path, count: int, scratch: Path) -> list[PageTimes]:
    """Of opening ``page`` so many times, one after the other. Raises SetupError without Chromium."""
    browser = shutil.which("chromium")
    if browser is None:
        raise SetupError("chromium is not installed")
    profile = scratch / "browser"
    words = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1200,1500", "--remote-debugging-port=0"]
    command = [browser, *words, f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return asyncio.run(_opened(_address(profile), page.as_uri(), count))
    finally:
        process.terminate()
        process.wait(timeout=_START_SECONDS)


def _address(profile: Path) -> str:
    """Of the only tab."""
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        with suppress(OSError, IndexError, ValueError, StopIteration):
            port = int((profile / "DevToolsActivePort").read_text().splitlines()[0])
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=10) as answer:
                return next(tab["webSocketDebuggerUrl"] for tab in json.load(answer) if tab["type"] == "page")
        time.sleep(0.1)
    raise SetupError("chromium did not start")


async def _opened(address: str, url: str, count: int) -> list[PageTimes]:
    tab = await _Tab.connected(address)
    await tab.call("Page.enable")
    found = []
    for _ in range(count):
        for each in ("about:blank", url):
            await tab.call("Page.navigate", url=each)
            await tab.event("Page.loadEventFired")
            await asyncio.sleep(0.3)
        answer = await tab.call("Runtime.evaluate", expression=_TIMES)
        paint, loaded = json.loads(answer["result"]["value"])
        found.append(PageTimes(paint / 1000, loaded / 1000))
    return found


class _Tab:
    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._calls = 0
        self._events: list[str] = []

    @classmethod
    async def connected(cls, address: str) -> _Tab:
        from tornado.websocket import websocket_connect

        return cls(await websocket_connect(address))

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._calls += 1
        self._events.clear()
        await self._socket.write_message(json.dumps({"id": self._calls, "method": method, "params": parameters}))
        while True:
            message = await self._next()
            if message.get("id") == self._calls:
                return message.get("result", {})
            self._events.append(message.get("method", ""))

    async def event(self, name: str) -> None:
        while name not in self._events:
            self._events.append((await self._next()).get("method", ""))

    async def _next(self) -> dict[str, Any]:
        text = await asyncio.wait_for(self._socket.read_message(), _LOAD_SECONDS)
        if text is None:
            raise SetupError("chromium ended")
        return json.loads(text)
