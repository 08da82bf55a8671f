"""Where a job is computed if not on this computer: the department server that the user has set up."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from TotalSegmentatorWire.errors.problem import SegmentationError


@dataclass(frozen=True)
class DepartmentServer:
    """The Dask scheduler of the department, and the files of mutual TLS; empty where there are none."""

    address: str
    """tls://NAME:8786, or tcp:// on this computer alone."""
    ca_file: str = ""
    """PEM file of the certificate authority that both sides trust."""
    certificate_file: str = ""
    """PEM file of this side's certificate."""
    key_file: str = ""
    """PEM file of its key."""

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def server_from_json(fields: dict[str, Any]) -> DepartmentServer:
    """What ``to_json`` wrote. Raises SegmentationError("BAD_REQUEST")."""
    try:
        return DepartmentServer(**fields)
    except TypeError as error:
        raise SegmentationError("BAD_REQUEST", detail="server") from error
