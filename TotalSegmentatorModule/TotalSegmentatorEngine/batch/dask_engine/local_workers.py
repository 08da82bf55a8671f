"""The worker processes of a cluster on this computer: one a GPU, or as many as were asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from TotalSegmentatorEngine.cluster.dask_settings import settle
from TotalSegmentatorEngine.cluster.local_cluster import start_cluster
from TotalSegmentatorEngine.cluster.nanny_options import GPU, VISIBLE_GPUS
from TotalSegmentatorEngine.cluster.own_certificate import own_security
from TotalSegmentatorEngine.cluster.tls_files import TlsFiles, security_of
from TotalSegmentatorEngine.cluster.worker_preload import CPUS_VARIABLE
from TotalSegmentatorEngine.machine.core_shares import core_shares

if TYPE_CHECKING:
    from distributed import Client
    from distributed.security import Security


@contextmanager
def local_client(device: str, count: int | None, tls: TlsFiles | None, say: Callable[[str], None]) -> Iterator[Client]:
    """A client of a cluster that ends with the block, whatever its workers do then.

    Without ``tls`` its connections are encrypted by a certificate made for this run, which only its processes have.
    Where none can be made, ``say`` tells it.
    """
    gpus = _gpus() if device in ("auto", "cuda") else []
    number = count or max(1, len(gpus))
    environments: list[dict[str, str]] = [{} for _ in range(number)]
    if gpus:  # more workers than GPUs share them
        environments = [{VISIBLE_GPUS: gpus[place % len(gpus)]} for place in range(number)]
    elif number > 1:
        environments = [{CPUS_VARIABLE: ",".join(map(str, cpus))} for cpus in core_shares(number)] or environments
    with _security(tls, say) as security:
        cluster = start_cluster(environments, {GPU: 1} if gpus else {}, security)
        from distributed import Client

        with cluster, Client(cluster, set_as_default=False, direct_to_workers=False) as client:
            yield client


@contextmanager
def _security(tls: TlsFiles | None, say: Callable[[str], None]) -> Iterator[Security]:
    if tls is not None:
        yield tls.security()
        return
    settle()
    with own_security() as security:
        if security is None:
            say("without openssl, other users of this computer could reach the workers of this run")
        yield security or security_of(None)


def _gpus() -> list[str]:
    """As CUDA_VISIBLE_DEVICES names them; only those that it leaves visible where it is set."""
    import torch

    count = torch.cuda.device_count()
    named = [name.strip() for name in os.environ.get(VISIBLE_GPUS, "").split(",") if name.strip()]
    return named[:count] if len(named) >= count else [str(number) for number in range(count)]
