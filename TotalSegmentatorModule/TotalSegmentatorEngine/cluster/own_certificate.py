"""A certificate for a cluster on this computer, which only its own processes have."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from TotalSegmentatorEngine.cluster.tls_files import TlsFiles

if TYPE_CHECKING:
    from distributed.security import Security

_DAYS = 365
"""Longer than a run. The key is as long as that of Dask's own temporary certificates."""
_SECONDS = 60


@contextmanager
def own_security() -> Iterator[Security | None]:
    """Mutual TLS for the time of the block, by the package ``cryptography`` or, where it is missing, by the program
    ``openssl``; None where that is missing, too."""
    from distributed.security import Security

    if importlib.util.find_spec("cryptography") is not None:
        yield Security.temporary()
        return
    with tempfile.TemporaryDirectory(prefix="cluster-") as folder:  # readable by this user only
        files = _made_by_openssl(Path(folder))
        yield None if files is None else files.security()


def _made_by_openssl(folder: Path) -> TlsFiles | None:
    program = shutil.which("openssl")
    if program is None:
        return None
    cert, key = folder / "cert.pem", folder / "key.pem"
    options = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", str(_DAYS), "-subj", "/CN=cluster"]
    try:
        subprocess.run(
            [program, "req", *options, "-keyout", str(key), "-out", str(cert)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return TlsFiles(cert, cert, key)
