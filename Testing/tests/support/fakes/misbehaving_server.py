"""A local server of files that can be told to misbehave, path by path, and counts what it sends."""

from __future__ import annotations

import hashlib
import http.server
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_CHUNK = 16384


@dataclass
class Served:
    """One file and how it is served."""

    content: bytes
    status: int | None = None
    """Answered in place of the file."""
    failures: int | None = None
    """``status`` or ``cut_after`` only so many times; None for always."""
    has_ranges: bool = True
    cut_after: int | None = None
    """The connection ends after so many bytes of an answer."""
    etag: str | None = None
    """None for the digest of the content, "" for none at all."""
    redirect: str | None = None
    pause: float = 0.0
    """Seconds after each 16 KiB."""
    length: int | None = None
    """Content-Length in place of the real one."""

    @property
    def tag(self) -> str:
        return '"{}"'.format(hashlib.sha256(self.content).hexdigest()[:16]) if self.etag is None else self.etag

    def fails_now(self) -> bool:
        if self.failures is None:
            return True
        self.failures -= 1
        return self.failures >= 0


@dataclass
class MisbehavingServer:
    """``files`` by path; ``sent`` counts the bytes of bodies; ``requests`` holds (path, Range header)."""

    files: dict[str, Served] = field(default_factory=dict)
    sent: int = 0
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""

    def serve(self, path: str, content: bytes, **how) -> str:
        """Serves ``content`` at ``path``; returns its address."""
        self.files["/" + path] = Served(content, **how)
        return f"{self.url}/{path}"


def _handler(server: MisbehavingServer) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.requests.append((self.path, self.headers.get("Range")))
            served = server.files.get(self.path.split("?")[0])
            if served is None:
                self._refuse(404)
            elif served.redirect is not None:
                self.send_response(302)
                self.send_header("Location", served.redirect)
                self.end_headers()
            elif served.status is not None and served.fails_now():
                self._refuse(served.status)
            else:
                self._send(served)

        def _refuse(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _send(self, served: Served) -> None:
            start = self._start(served)
            if start >= len(served.content) > 0:
                self._refuse(416)
                return
            body = served.content[start:]
            self.send_response(206 if start else 200)
            if start:
                last = len(served.content) - 1
                self.send_header("Content-Range", f"bytes {start}-{last}/{len(served.content)}")
            if served.tag:
                self.send_header("ETag", served.tag)
            self.send_header("Content-Length", str(served.length if served.length is not None else len(body)))
            self.end_headers()
            if served.cut_after is not None and served.fails_now():
                body = body[: served.cut_after]
            for position in range(0, len(body), _CHUNK):
                chunk = body[position : position + _CHUNK]
                server.sent += len(chunk)  # before: the client may be through with it sooner than this thread
                self.wfile.write(chunk)
                time.sleep(served.pause)
            self.close_connection = True

        def _start(self, served: Served) -> int:
            wanted = self.headers.get("Range")
            if wanted is None or not served.has_ranges:
                return 0
            if self.headers.get("If-Range") not in (None, served.tag):
                return 0
            return int(wanted.removeprefix("bytes=").split("-")[0])

        def log_message(self, *_arguments: object) -> None:
            """Nothing on the terminal of the tests."""

    return Handler


class _QuietServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_arguments: object) -> None:
        """Clients that are killed in the middle are what these tests are about."""


@contextmanager
def misbehaving_server(certificate: Path | None = None) -> Iterator[MisbehavingServer]:
    """A running server; with ``certificate`` (PEM with its key) it speaks TLS."""
    server = MisbehavingServer()
    running = _QuietServer(("127.0.0.1", 0), _handler(server))
    scheme = "http"
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        running.socket = context.wrap_socket(running.socket, server_side=True)
        scheme = "https"
    server.url = f"{scheme}://localhost:{running.server_address[1]}"
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        running.shutdown()
        running.server_close()
        thread.join()


@contextmanager
def proxy_that_asks_for_a_password() -> Iterator[str]:
    """Address of a proxy that answers everything with 407."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def _refuse(self) -> None:
            self.send_response(407)
            self.send_header("Proxy-Authenticate", 'Basic realm="hospital"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_CONNECT = _refuse

        def log_message(self, *_arguments: object) -> None:
            """Nothing on the terminal of the tests."""

    running = _QuietServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{running.server_address[1]}"
    finally:
        running.shutdown()
        running.server_close()


_AUTHORITY = """
[ca]
default_ca = own
[own]
database = {folder}/index.txt
new_certs_dir = {folder}
serial = {folder}/serial
default_md = sha256
policy = names
copy_extensions = copy
[names]
commonName = supplied
"""


def make_certificate(folder: Path, start: str = "20200101000000Z", end: str = "20450101000000Z") -> Path | None:
    """A certificate for localhost that nobody but itself has signed, ``certificate.pem``, and both.pem with its key.

    Valid from ``start`` to ``end``. None where openssl is missing.
    """
    program = shutil.which("openssl")
    if program is None:
        return None
    key, request, certificate = folder / "key.pem", folder / "request.pem", folder / "certificate.pem"
    (folder / "index.txt").touch()
    (folder / "serial").write_text("01\n")
    (folder / "authority.cnf").write_text(_AUTHORITY.format(folder=folder))
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    new_key = ["-newkey", "rsa:2048", "-nodes", "-keyout", str(key)]
    signing = ["-selfsign", "-batch", "-notext", "-config", str(folder / "authority.cnf"), "-keyfile", str(key)]
    validity = ["-startdate", start, "-enddate", end]
    for command in (
        [program, "req", "-new", *new_key, "-out", str(request), *names],
        [program, "ca", *signing, *validity, "-in", str(request), "-out", str(certificate)],
    ):
        subprocess.run(command, capture_output=True, check=True)
    both = folder / "both.pem"
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    return both
