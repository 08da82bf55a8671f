"""The three files of mutual TLS, and the rule where it is required."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.cluster.server_address import ServerAddress

if TYPE_CHECKING:
    from distributed.security import Security


@dataclass(frozen=True)
class TlsFiles:
    """PEM files: the certificate authority that both sides trust, and this side's certificate and its key."""

    ca: Path
    cert: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """For a connection to a server that must have a certificate of this authority.

        The name in the certificate is not compared, as Dask doesn't either: the authority is the cluster's own, and
        workers have addresses that nobody knows beforehand.

        Raises SegmentationError("TLS_FILE_UNUSABLE").
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        for path in (self.ca, self.cert, self.key):
            _check_readable(path)
        _check(self.ca, lambda: context.load_verify_locations(cafile=self.ca))
        # a key with a passphrase would otherwise have OpenSSL ask for it on the terminal
        _check(self.cert, lambda: _load_certificates(self.cert))
        _check(self.key, lambda: context.load_cert_chain(self.cert, self.key, password=lambda: b""))
        return context

    def security(self) -> Security:
        """As Dask takes it, for a client, and for the scheduler and the workers of a cluster on this computer.

        Raises SegmentationError("TLS_FILE_UNUSABLE").
        """
        from distributed.security import Security

        self.context()
        cert, key = str(self.cert), str(self.key)
        return Security(
            require_encryption=True,
            tls_ca_file=str(self.ca),
            tls_client_cert=cert,
            tls_client_key=key,
            tls_scheduler_cert=cert,
            tls_scheduler_key=key,
            tls_worker_cert=cert,
            tls_worker_key=key,
        )


def tls_files(ca: Path | None, cert: Path | None, key: Path | None) -> TlsFiles | None:
    """None where no file is named. Raises SegmentationError("SCHEDULER_NEEDS_TLS") where only some are."""
    if ca is None and cert is None and key is None:
        return None
    if ca is None or cert is None or key is None:
        raise SegmentationError("SCHEDULER_NEEDS_TLS")
    return TlsFiles(ca, cert, key)


def security_of(tls: TlsFiles | None) -> Security:
    """As Dask takes it; None for plain TCP on this computer. Raises SegmentationError("TLS_FILE_UNUSABLE")."""
    from distributed.security import Security

    return Security(require_encryption=False) if tls is None else tls.security()


def check_allowed(address: ServerAddress, tls: TlsFiles | None) -> None:
    """The rule: beyond this computer only with mutual TLS. Nothing is sent, no name is resolved.

    Raises SegmentationError("SCHEDULER_NEEDS_TLS").
    """
    if address.is_tls != (tls is not None) or not (address.is_tls or address.is_loopback):
        raise SegmentationError("SCHEDULER_NEEDS_TLS")


def _check_readable(path: Path) -> None:
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise SegmentationError("TLS_FILE_UNUSABLE", file=path.name) from error


def _load_certificates(path: Path) -> None:
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)


def _check(path: Path, load: Callable[[], object]) -> None:
    try:
        load()
    except (ssl.SSLError, OSError, ValueError) as error:
        raise SegmentationError("TLS_FILE_UNUSABLE", file=path.name) from error
