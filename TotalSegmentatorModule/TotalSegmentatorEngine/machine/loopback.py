"""Whether a host is this computer and can be no other."""

from __future__ import annotations

import ipaddress


def is_loopback(host: str) -> bool:
    """``host``: a name, or an IP address without brackets. Names other than ``localhost`` never count, whatever they
    resolve to: what a name means can change between the check and the connection."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
