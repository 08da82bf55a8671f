"""The options of a run on a Dask cluster."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from TotalSegmentatorWire.command.argument_types import options_from

from TotalSegmentatorEngine.cluster.arguments import ClusterSchedulerOptions, add_tls_options
from TotalSegmentatorEngine.cluster.server_address import ServerAddress, parse_address
from TotalSegmentatorEngine.cluster.tls_files import check_allowed

LOCAL = "local"
LARGEST_WORKERS = 64


@dataclass(frozen=True)
class ClusterOptions(ClusterSchedulerOptions):
    """``address`` may be LOCAL: a cluster of processes on this computer, for this run."""

    workers: int | None = None
    """Processes of a cluster on this computer; None: one a GPU, or one."""

    @property
    def is_local(self) -> bool:
        return self.address == LOCAL

    def scheduler(self) -> ServerAddress:
        """Of another cluster. Raises SegmentationError: SCHEDULER_ADDRESS_INVALID, SCHEDULER_NEEDS_TLS."""
        address = parse_address(self.address)
        check_allowed(address, self.tls())
        return address

    def check(self) -> None:
        """Before anything else is done. Raises SegmentationError: as ``scheduler``, TLS_FILE_UNUSABLE."""
        tls = self.tls()
        if not self.is_local:
            self.scheduler()
        if tls is not None:
            tls.context()


def add_cluster_options(command: argparse.ArgumentParser) -> None:
    """The options that become ClusterOptions."""
    group = command.add_argument_group("a Dask cluster")
    group.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="run on the workers of the Dask scheduler at ADDRESS, such as tls://NAME:8786 (see the commands "
        "cluster-scheduler and cluster-worker); local: on worker processes on this computer, one a GPU",
    )
    group.add_argument(
        "--workers",
        type=_count,
        metavar="N",
        help="with --scheduler local: start N worker processes, each of which needs the memory of a segmentation",
    )
    add_tls_options(group)


def cluster_options(parsed: argparse.Namespace, command: argparse.ArgumentParser) -> ClusterOptions | None:
    """None for a run without Dask. Options that do not go together end the process (status 2)."""
    if parsed.scheduler is None:
        if parsed.workers is not None or parsed.tls_ca or parsed.tls_cert or parsed.tls_key:
            command.error("--workers, --tls-ca, --tls-cert and --tls-key need --scheduler")
        return None
    options = options_from(parsed, ClusterOptions, address=parsed.scheduler)
    if options.workers is not None and not options.is_local:
        command.error("--workers needs --scheduler local; any other cluster has the workers that you started")
    return options


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= LARGEST_WORKERS:
        raise argparse.ArgumentTypeError(f"give a whole number from 1 to {LARGEST_WORKERS}")
    return int(text)
