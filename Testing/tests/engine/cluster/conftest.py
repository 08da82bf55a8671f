"""A Dask scheduler of this computer's loopback, and certificates of two authorities."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import trustme
from TotalSegmentatorEngine.cluster.local_cluster import start_cluster
from TotalSegmentatorEngine.cluster.server_address import ServerAddress, parse_address
from TotalSegmentatorEngine.cluster.tls_files import TlsFiles, security_of

MakeFiles = Callable[[], TlsFiles]


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], MakeFiles]]:
    """Call it for an authority, and that for certificates of it."""
    folder = tmp_path_factory.mktemp("certificates")
    numbers = itertools.count()

    def authority() -> MakeFiles:
        ca = trustme.CA()

        def files() -> TlsFiles:
            number = next(numbers)
            paths = TlsFiles(*(folder / f"{number}-{name}.pem" for name in ("ca", "cert", "key")))
            issued = ca.issue_cert("cluster.example")
            ca.cert_pem.write_to_path(paths.ca)
            issued.private_key_pem.write_to_path(paths.key)
            issued.cert_chain_pems[0].write_to_path(paths.cert)
            return paths

        return files

    return authority


@pytest.fixture(scope="module")
def scheduler() -> Iterator[Callable[..., ServerAddress]]:
    """Starts schedulers in a thread of this process."""
    with ExitStack() as clusters:

        def start(tls: TlsFiles | None, workers: int = 0) -> ServerAddress:
            """The workers, too, are threads of this process."""
            security = security_of(tls)
            cluster = clusters.enter_context(start_cluster([], {}, security))
            from distributed import Worker

            options = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "nthreads": 1, "security": security}
            for number in range(workers):
                cluster.worker_spec[number] = {"cls": Worker, "options": options}
            cluster.scale(workers)
            return parse_address(cluster.scheduler_address)

        yield start
