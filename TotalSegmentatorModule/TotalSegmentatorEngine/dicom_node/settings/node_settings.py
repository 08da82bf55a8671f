"""The settings of a node, checked; docs/receive.md describes each."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from TotalSegmentatorWire.messages.options import JobOptions

from TotalSegmentatorEngine.machine.loopback import is_loopback

DEFAULT_PORT = 11112
"""Registered for DICOM without privileges, PS3.8 9.1.1."""

PASS_OVER, REFUSE = OTHER_OBJECTS = ("pass_over", "refuse")
"""What happens to objects that are no CT images: they are accepted and not kept, or not accepted."""

DICOM, DICOMWEB = DESTINATION_KINDS = ("dicom", "dicomweb")

SENT_FORMATS = ("rtstruct", "seg", "sr")
"""Formats of the export that are DICOM objects."""


@dataclass(frozen=True)
class Sender:
    """Who may send: an AE title together with an address or a network ("10.1.2.3", "10.1.2.0/24")."""

    ae_title: str
    network: ipaddress.IPv4Network | ipaddress.IPv6Network

    def has_address(self, address: str) -> bool:
        """False too for what is no address."""
        try:
            peer = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(peer, ipaddress.IPv6Address) and peer.ipv4_mapped is not None:
            peer = peer.ipv4_mapped
        return peer in self.network


@dataclass(frozen=True)
class TlsFiles:
    """PEM files. Both sides of a connection show a certificate of one of the ``authorities``."""

    certificate: Path
    key: Path
    authorities: Path


@dataclass(frozen=True)
class Listening:
    address: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    ae_title: str = "TOTALSEG"
    senders: tuple[Sender, ...] = ()
    tls: TlsFiles | None = None
    other_objects: str = PASS_OVER


@dataclass(frozen=True)
class Limits:
    associations: int = 8
    """At one time."""
    connections_per_minute: int = 600
    """From one address."""
    pdu_bytes: int = 131072
    """Largest PDU that is accepted."""
    megabytes_per_second: float | None = None
    """On one connection; None: as much as comes."""
    object_mb: int = 2048
    memory_mb: int = 4096
    """Of the objects that are arriving on all connections together; one that would exceed it is cut off."""
    series_objects: int = 10000
    queue_gb: float = 200.0
    """Of received objects, before new ones are refused for the time being."""
    free_disk_gb: float = 5.0
    """So much stays free on the disk."""
    idle_seconds: float = 60.0
    """A connection on which nothing comes for so long is closed, and so is one whose PDU takes longer."""


@dataclass(frozen=True)
class Times:
    quiet_seconds: float = 30.0
    """A series is complete when nothing more came for so long."""
    incomplete_minutes: float = 60.0
    """A series whose transfer was cut off is reported after this time."""
    keep_days: float | None = 7.0
    """Received CTs and results are deleted from the node's folder after this time; None: never."""
    give_up_hours: float = 48.0
    """A result that could not be delivered for so long is not sent any more."""
    retry_seconds: float = 30.0
    """Pause before the second attempt; it doubles up to an hour."""


@dataclass(frozen=True)
class Destination:
    name: str
    kind: str
    formats: tuple[str, ...]
    address: str = ""
    """Host name or address of a DICOM destination."""
    port: int = 0
    ae_title: str = ""
    url: str = ""
    """Of a DICOMweb destination."""
    user: str = ""
    password_file: Path | None = None
    token_file: Path | None = None
    """Holds a bearer token."""
    authorities: Path | None = None
    """PEM file for DICOMweb over https, where the server's authority is not a public one."""
    tls: TlsFiles | None = None
    """For DICOM; for DICOMweb over https to a server that demands a client certificate."""

    @property
    def is_in_the_open(self) -> bool:
        """Whether what is sent crosses a network unencrypted."""
        if self.kind == DICOM:
            return self.tls is None and not is_loopback(self.address)
        parts = urlsplit(self.url)
        return parts.scheme != "https" and not is_loopback(parts.hostname or "")


@dataclass(frozen=True)
class NodeSettings:
    listening: Listening = field(default_factory=Listening)
    limits: Limits = field(default_factory=Limits)
    times: Times = field(default_factory=Times)
    watch: Path | None = None
    destinations: tuple[Destination, ...] = ()
    reviewers: str = ""
    """Who reviews what is sent, as the site calls them; must be stated where there are destinations."""
    model: str = ""
    models_folder: Path | None = None
    structures: tuple[str, ...] | None = None
    """None for all."""
    device: str = "auto"
    options: JobOptions = field(default_factory=JobOptions)
    export: tuple[str, ...] = ("rtstruct",)

    @property
    def listens(self) -> bool:
        return bool(self.listening.senders)
