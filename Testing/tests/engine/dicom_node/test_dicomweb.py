"""A DICOMweb server that does not take what it is sent, and what it gets to see."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from TotalSegmentatorEngine.dicom_node.sending.stow import send_by_stow
from TotalSegmentatorEngine.dicom_node.settings.node_settings import DICOMWEB, Destination
from TotalSegmentatorWire.errors.problem import SegmentationError

NOT_STORED = {"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [0x0110]}}]}}
"""Failed SOP Sequence with a Failure Reason, PS3.18 table 10.5.3-1."""


@dataclass
class WebServer:
    """Answers every request with ``status``, ``headers`` and ``answer``."""

    port: int = 0
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    answer: dict = field(default_factory=dict)
    seen: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def destination(self, **fields: object) -> Destination:
        return Destination("web", DICOMWEB, ("rtstruct",), url=f"http://127.0.0.1:{self.port}/dicom-web", **fields)


@pytest.fixture
def web() -> Iterator[WebServer]:
    server = WebServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.seen.append((self.path, dict(self.headers), body))
            text = json.dumps(server.answer).encode()
            self.send_response(server.status)
            for name, value in {"Content-Type": "application/dicom+json", **server.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *arguments: object) -> None:
            """Silent."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.port = http.server_port
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    http.shutdown()
    thread.join()
    http.server_close()


def failure(destination: Destination, paths: list[Path]) -> str:
    confirmed: list[Path] = []
    with pytest.raises(SegmentationError) as caught:
        send_by_stow(destination, paths, confirmed.append)
    assert confirmed == []
    return str(caught.value)


def test_each_object_is_confirmed_and_secrets_are_sent_along(web: WebServer, series: Callable, tmp_path: Path):
    (tmp_path / "token").write_text("s3cret\n")
    files, confirmed = series()[:2], []
    send_by_stow(web.destination(token_file=tmp_path / "token"), files, confirmed.append)
    assert confirmed == files
    for path, headers, body in web.seen:
        assert path == "/dicom-web/studies" and headers["Authorization"] == "Bearer s3cret"
        assert b"DICM" in body
    send_by_stow(web.destination(user="node", password_file=tmp_path / "token"), files[:1], confirmed.append)
    assert web.seen[-1][1]["Authorization"].startswith("Basic ")


def test_a_refusal_has_its_status(web: WebServer, series: Callable):
    files = series()[:1]
    web.status = 401
    assert "(status 401)" in failure(web.destination(), files)
    web.status, web.answer = 202, NOT_STORED
    assert "(status 0110)" in failure(web.destination(), files)


def test_nothing_is_sent_on_to_where_a_server_points(web: WebServer, series: Callable, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{web.port}/proxy")
    web.status, web.headers = 307, {"Location": f"http://127.0.0.1:{web.port}/elsewhere"}
    assert "(status 307)" in failure(web.destination(), series()[:1])
    assert [path for path, _, _ in web.seen] == ["/dicom-web/studies"]


def test_a_server_that_is_away_and_a_secret_that_is_gone_are_named(web: WebServer, series: Callable, tmp_path: Path):
    gone = Destination("web", DICOMWEB, (), url="http://127.0.0.1:9/dicom-web")
    assert "cannot be reached" in failure(gone, series()[:1])
    assert "password or token cannot be read" in failure(web.destination(token_file=tmp_path / "gone"), series()[:1])
