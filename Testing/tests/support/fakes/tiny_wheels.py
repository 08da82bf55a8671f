"""Tiny wheels, a package index that serves them, and the table and lock that ask for them."""

from __future__ import annotations

import contextlib
import json
import platform
import sys
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from TotalSegmentatorSetup.packages.python_choice import machine_name

LOCK = "tiny_a==1.0\ntiny_b==2.0  # with a reason\n"
_METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
_WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def make_wheel(folder: Path, name: str, version: str, code: str = "", module: str = "", needs: str = "") -> Path:
    """A wheel with one module of the given code; its distribution may have another name than the module."""
    folder.mkdir(parents=True, exist_ok=True)
    metadata = _METADATA.format(name=name, version=version) + (f"Requires-Dist: {needs}\n" if needs else "")
    info = f"{name}-{version}.dist-info"
    files = {
        f"{module or 'module_of_' + name}/__init__.py": code,
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": _WHEEL,
    }
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(path, text)
    return wheel


def make_wheels(folder: Path) -> Path:
    """What the tiny lock asks for, and a torch that is only a name."""
    make_wheel(folder, "torch", "1.0")
    make_wheel(folder, "tiny_a", "1.0")
    make_wheel(folder, "tiny_b", "2.0")
    return folder


def variant_row(**changes: Any) -> dict[str, Any]:
    row = {
        "id": "cpu",
        "system": platform.system(),
        "machine": machine_name(platform.machine()),
        "device": "cpu",
        "device_title": "processor",
        "tag": None,
        "index_url": None,
        "torch": "1.0",
        "libraries": False,
        "requirements": "lock.txt",
        "minimum_driver": None,
        "compute": None,
        "bytes": 2000,
        "disk_bytes": None,
        "source": "test",
    }
    return row | changes


def make_resources(folder: Path, *rows: dict[str, Any], lock: str = LOCK) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    pythons = ["{}.{}".format(*sys.version_info[:2])]
    table = {
        "pythons": pythons,
        "source_only": [],
        "usual_index": "https://packages.example/simple",
        "variants": list(rows) or [variant_row()],
    }
    (folder / "sources.json").write_text(json.dumps(table), encoding="utf-8")
    (folder / "lock.txt").write_text(lock, encoding="utf-8")
    return folder


class PackageIndex:
    """A package index on this machine. What is named in ``stalled`` is sent by half until ``go_on`` is set."""

    def __init__(self, wheels: Path) -> None:
        self.fetched: Counter[str] = Counter()
        self.stalled: set[str] = set()
        self.status: int | None = None
        self.wrong_digest = False
        self.is_stalling, self.go_on = threading.Event(), threading.Event()
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                index.answer(self, wheels)

            def log_message(self, *_arguments: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:{}/simple".format(self.server.server_port)

    def answer(self, request: BaseHTTPRequestHandler, wheels: Path) -> None:
        name = unquote(request.path).rstrip("/").rsplit("/", 1)[-1]
        if self.status is not None:
            request.send_error(self.status)
            return
        if name.endswith(".whl"):
            self._send_wheel(request, wheels / name)
            return
        digest = "#sha256=" + "0" * 64 if self.wrong_digest else ""
        found = sorted(file.name for file in wheels.glob("*.whl") if file.name.lower().startswith(_prefix(name)))
        page = "".join(f'<a href="/files/{file}{digest}">{file}</a>' for file in found).encode()
        _send(request, page, "text/html")

    def _send_wheel(self, request: BaseHTTPRequestHandler, file: Path) -> None:
        content = file.read_bytes()
        self.fetched[file.name.split("-")[0]] += 1
        if file.name.split("-")[0] not in self.stalled:
            _send(request, content, "application/zip")
            return
        with contextlib.suppress(OSError):
            request.send_response(200)
            request.send_header("Content-Length", str(len(content)))
            request.end_headers()
            request.wfile.write(content[: len(content) // 2])
            request.wfile.flush()
            self.is_stalling.set()
            self.go_on.wait(60)
            request.wfile.write(content[len(content) // 2 :])


def _prefix(name: str) -> str:
    return name.replace("-", "_") + "-"


def _send(request: BaseHTTPRequestHandler, content: bytes, kind: str) -> None:
    with contextlib.suppress(OSError):
        request.send_response(200)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)


@contextlib.contextmanager
def running_index(wheels: Path) -> Iterator[PackageIndex]:
    index = PackageIndex(wheels)
    thread = threading.Thread(target=index.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield index
    finally:
        index.go_on.set()
        index.server.shutdown()
        index.server.server_close()
        thread.join()
