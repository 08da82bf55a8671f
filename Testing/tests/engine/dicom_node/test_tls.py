"""TLS: both sides show a certificate of an authority that the other one knows."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme
from dicom_peers import archive, association, send, send_bytes
from TotalSegmentatorEngine.dicom_node.sending.c_store import send_by_c_store
from TotalSegmentatorEngine.dicom_node.settings.node_settings import DICOM, Destination, TlsFiles
from TotalSegmentatorWire.errors.problem import SegmentationError


class Authority:
    """Issues certificates, as files in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = trustme.CA()
        folder.mkdir()
        self.file = folder / "authority.pem"
        self._made.cert_pem.write_to_path(self.file)

    def issue(self, name: str) -> TlsFiles:
        issued = self._made.issue_cert(name)
        certificate, key = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        for number, blob in enumerate(issued.cert_chain_pems):
            blob.write_to_path(certificate, append=number > 0)
        issued.private_key_pem.write_to_path(key)
        return TlsFiles(certificate, key, self.file)

    def client(self, files: TlsFiles | None) -> ssl.SSLContext:
        """Of somebody else's program, which trusts this authority and shows the certificate in ``files``."""
        context = ssl.create_default_context(cafile=self.file)
        if files is not None:
            context.load_cert_chain(files.certificate, files.key)
        return context

    def server(self, files: TlsFiles) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.file)
        context.load_cert_chain(files.certificate, files.key)
        context.verify_mode = ssl.CERT_REQUIRED
        return context


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ours")


@pytest.fixture
def another(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "another")


def test_a_sender_with_a_certificate_of_our_authority_is_served(make_node, series, ours):
    node = make_node(tls=ours.issue("localhost"))
    files = series()
    assert send(node.port, files, tls=ours.client(ours.issue("pacs"))) == [0] * len(files)
    assert len(node.complete()) == 1


def test_others_are_not(make_node, series, ours, another):
    node = make_node(tls=ours.issue("localhost"))
    strangers = (None, ours.client(None), ours.client(another.issue("pacs")))
    for context in strangers:
        with association(node.port, tls=context) as opened:
            assert not opened.is_established
    assert b"\x16\x03" not in send_bytes(node.port, b"GET / HTTP/1.1\r\n\r\n")
    files = series()
    assert send(node.port, files, tls=ours.client(ours.issue("pacs"))) == [0] * len(files)


def test_a_slow_handshake_does_not_keep_others_out(make_node, series, ours):
    import socket

    node = make_node(tls=ours.issue("localhost"))
    with socket.create_connection(("127.0.0.1", node.port)) as slow:
        slow.sendall(b"\x16")
        assert send(node.port, series()[:1], tls=ours.client(ours.issue("pacs"))) == [0]


def test_results_are_sent_over_tls_only_to_who_can_show_who_it_is(series, ours, another):
    path = series()[0]
    sent: list[Path] = []

    def destination(port: int, name: str) -> Destination:
        return Destination("a", DICOM, (), address=name, port=port, ae_title="ARCHIVE", tls=ours.issue("node"))

    with archive(tls=ours.server(ours.issue("localhost"))) as (port, stored):
        send_by_c_store(destination(port, "localhost"), "TOTALSEG", [path], sent.append)
        assert len(stored) == len(sent) == 1
        with pytest.raises(SegmentationError, match="cannot be reached"):  # the certificate is another computer's
            send_by_c_store(destination(port, "127.0.0.1"), "TOTALSEG", [path], sent.append)
    with archive(tls=another.server(another.issue("localhost"))) as (port, stored):
        with pytest.raises(SegmentationError, match="cannot be reached"):
            send_by_c_store(destination(port, "localhost"), "TOTALSEG", [path], sent.append)
    assert len(sent) == 1 and stored == []
