"""The address of a Dask scheduler, and whether it lies on this computer."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.machine.loopback import is_loopback

DEFAULT_PORT = 8786
"""Dask's own: https://docs.dask.org/en/stable/deploying-cli.html"""

_HOST = r"\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?)"
_ADDRESS = re.compile(rf"(?P<scheme>tcp|tls)://(?:{_HOST})(?::(?P<port>[0-9]{{1,5}}))?/?")


@dataclass(frozen=True)
class ServerAddress:
    """``scheme`` is tcp or tls; ``host`` a name or an IP address, without the brackets that IPv6 has in an address."""

    scheme: str
    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this computer can be meant."""
        return is_loopback(self.host)

    @property
    def is_tls(self) -> bool:
        return self.scheme == "tls"

    @property
    def uri(self) -> str:
        """As Dask takes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def parse_address(text: str) -> ServerAddress:
    """The address that ``text`` holds: tcp:// or tls://, a host, and optionally a port. Nothing is resolved.

    Raises SegmentationError("SCHEDULER_ADDRESS_INVALID").
    """
    match = _ADDRESS.fullmatch(text.strip())
    port = int(match["port"] or DEFAULT_PORT) if match else 0
    if match is None or not 0 < port < 65536 or not _is_ipv6(match["ipv6"] or "::1"):
        raise SegmentationError("SCHEDULER_ADDRESS_INVALID", address=text.strip()[:200])
    return ServerAddress(match["scheme"], match["ipv6"] or match["host"], port)


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
