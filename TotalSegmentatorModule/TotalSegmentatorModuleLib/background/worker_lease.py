"""The resident worker, lent to whoever has a command for it on the CT that it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


class Worker(Protocol):
    """segment.worker_process.WorkerProcess; its own keeper looks after it."""

    is_running: bool
    exit_status: int | None

    def send(self, request: Any) -> bool: ...


@dataclass(frozen=True)
class WorkerLease:
    worker: Worker
    ct_id: str
    """Of the CT that it held when it was asked for."""
