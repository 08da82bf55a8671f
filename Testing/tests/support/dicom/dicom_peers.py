"""Programs that send to a node on this computer, as they should and as they should not."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
from pynetdicom import AE, DEFAULT_TRANSFER_SYNTAXES, evt
from pynetdicom.sop_class import (
    CTImageStorage,
    EnhancedCTImageStorage,
    RTStructureSetStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
    Verification,
)

LOOPBACK = "127.0.0.1"
TITLE, NODE_TITLE = "PACS", "TOTALSEG"


@contextmanager
def association(
    port: int,
    title: str = TITLE,
    called: str = NODE_TITLE,
    tls: ssl.SSLContext | None = None,
    syntaxes: Sequence[str] = DEFAULT_TRANSFER_SYNTAXES,
) -> Iterator:
    """An association with the node, established or not; released at the end."""
    entity = AE(title)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 10
    for uid in (CTImageStorage, EnhancedCTImageStorage, SecondaryCaptureImageStorage, Verification):
        entity.add_requested_context(uid, list(syntaxes))
    settings = {} if tls is None else {"tls_args": (tls, "localhost")}
    opened = entity.associate(LOOPBACK, port, ae_title=called, **settings)
    try:
        yield opened
    finally:
        if opened.is_established:
            opened.release()


def send(port: int, files: Sequence[Path], **settings: Any) -> list[int]:
    """Sends the files in one association; returns the statuses."""
    with association(port, **settings) as opened:
        assert opened.is_established
        return [opened.send_c_store(path).Status for path in files]


def send_cut_off(port: int, files: Sequence[Path]) -> None:
    """The connection is lost when the files have been sent, before the association was released."""
    with association(port) as opened:
        assert [opened.send_c_store(path).Status for path in files] == [0] * len(files)
        opened.abort()


def send_bytes(port: int, data: bytes) -> bytes:
    """What a node answers to bytes that are no DICOM, until it ends the connection."""
    with socket.create_connection((LOOPBACK, port), timeout=10) as connection:
        answer = b""
        try:
            connection.sendall(data)
            while block := connection.recv(4096):
                answer += block
        except ConnectionError:
            pass  # it may have ended the connection before everything was sent
        return answer


@contextmanager
def archive(
    statuses: Sequence[int] = (), before_answer: Callable[[], Any] = lambda: None, tls: ssl.SSLContext | None = None
) -> Iterator[tuple[int, list[pydicom.Dataset]]]:
    """A DICOM archive on a port: port and what it has stored. It answers with the ``statuses`` first, then success,
    when ``before_answer`` has returned."""
    stored: list[pydicom.Dataset] = []
    answers = list(statuses)

    def store(event: Any) -> int:
        status = answers.pop(0) if answers else 0
        if status == 0:
            stored.append(event.dataset)
        before_answer()
        return status

    entity = AE("ARCHIVE")
    for uid in (RTStructureSetStorage, SegmentationStorage, CTImageStorage):
        entity.add_supported_context(uid)
    server = entity.start_server((LOOPBACK, 0), block=False, ssl_context=tls, evt_handlers=[(evt.EVT_C_STORE, store)])
    try:
        yield server.server_address[1], stored
    finally:
        server.shutdown()
