"""The options of mutual TLS, and the arguments of the commands ``cluster-scheduler`` and ``cluster-worker``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.command.argument_types import options_from
from TotalSegmentatorWire.command.parser import PROGRAM

from TotalSegmentatorEngine.cluster.tls_files import TlsFiles, tls_files


@dataclass(frozen=True)
class ClusterSchedulerOptions:
    address: str
    """Where it listens, as it was typed."""
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None

    def tls(self) -> TlsFiles | None:
        """Raises SegmentationError("SCHEDULER_NEEDS_TLS") where only some of the files are named."""
        return tls_files(self.tls_ca, self.tls_cert, self.tls_key)


@dataclass(frozen=True)
class ClusterWorkerOptions(ClusterSchedulerOptions):
    """``address`` is that of the scheduler."""

    gpu: str | None = None
    """Number or UUID of the only GPU that the worker uses, as CUDA_VISIBLE_DEVICES takes it."""


def add_tls_options(group: Any) -> None:
    """To a parser or a group of one."""
    for option, what in (
        ("--tls-ca", "certificate of the authority that both sides trust"),
        ("--tls-cert", "this computer's certificate, signed by that authority"),
        ("--tls-key", "key of that certificate, without a passphrase"),
    ):
        group.add_argument(option, type=Path, metavar="FILE", help=f"{what}, as PEM")


def add_cluster_commands(commands: Any) -> None:
    scheduler = commands.add_parser("cluster-scheduler", help="run a Dask scheduler", description=_SCHEDULER)
    scheduler.add_argument("address", metavar="ADDRESS", help="where it listens, such as tls://NAME:8786")
    add_tls_options(scheduler)
    scheduler.set_defaults(make_options=lambda parsed: options_from(parsed, ClusterSchedulerOptions))
    worker = commands.add_parser(
        "cluster-worker", help="segment what a Dask scheduler sends, until it ends", description=_WORKER
    )
    worker.add_argument("address", metavar="ADDRESS", help="of the scheduler, such as tls://NAME:8786")
    add_tls_options(worker)
    worker.add_argument("--gpu", metavar="N", help="use only this GPU, by its number or UUID; without it the first one")
    worker.set_defaults(make_options=lambda parsed: options_from(parsed, ClusterWorkerOptions))


_SCHEDULER = f"""\
Runs a Dask scheduler until it is stopped, for the commands cluster-worker and batch. Unlike Dask's own it has no
dashboard, listens at ADDRESS only, and refuses to listen beyond this computer without mutual TLS. Whoever has a
certificate can run any program on the workers in the name of those who started them.

  {PROGRAM} cluster-scheduler tls://head:8786 --tls-ca ca.pem --tls-cert head.pem --tls-key head.key"""
_WORKER = f"""\
Makes this computer, or one of its GPUs, a worker of a Dask cluster: it segments the CTs of batch commands that use the
same scheduler, one at a time, and ends with the scheduler. The folders of CTs, models and results must be mounted at
the same paths as where the batch command runs. Whoever controls the scheduler can run any program on this computer in
your name; beyond this computer mutual TLS is required.

  {PROGRAM} cluster-worker tls://head:8786 --tls-ca ca.pem --tls-cert node.pem --tls-key node.key --gpu 0"""
