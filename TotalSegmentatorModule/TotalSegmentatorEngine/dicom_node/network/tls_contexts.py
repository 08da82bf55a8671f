"""TLS for DICOM, PS3.15 B: both sides show a certificate, and TLS 1.2 is the oldest version."""

from __future__ import annotations

import ssl

from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.dicom_node.network.guarded_sockets import GuardedTlsSocket
from TotalSegmentatorEngine.dicom_node.settings.node_settings import TlsFiles


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """For a server that demands a client certificate. Raises SegmentationError("RECEIVE_TLS_UNUSABLE")."""
    context = _context(ssl.PROTOCOL_TLS_SERVER, files)
    context.verify_mode = ssl.CERT_REQUIRED
    context.sslsocket_class = GuardedTlsSocket
    return context


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """For a client that shows its certificate and checks the server's, with its name. Raises as ``server_context``."""
    return _context(ssl.PROTOCOL_TLS_CLIENT, files)


def _context(protocol: int, files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
        context.load_verify_locations(files.authorities)
    except (OSError, ValueError) as error:
        raise SegmentationError("RECEIVE_TLS_UNUSABLE") from error
    return context


def _no_password() -> str:
    """Asked for an encrypted key, OpenSSL would otherwise wait for somebody at a terminal."""
    raise ValueError("the key is encrypted")
