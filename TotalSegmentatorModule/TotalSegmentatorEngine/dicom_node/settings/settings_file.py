"""Reads the node's settings from a JSON file. Every key is known and every value checked; paths are relative to it."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.options import JobOptions

from TotalSegmentatorEngine.dicom_node.settings.node_settings import (
    DESTINATION_KINDS,
    DICOM,
    DICOMWEB,
    OTHER_OBJECTS,
    SENT_FORMATS,
    Destination,
    Limits,
    Listening,
    NodeSettings,
    Sender,
    Times,
    TlsFiles,
)
from TotalSegmentatorEngine.machine.loopback import is_loopback

_LONGEST_AE_TITLE = 16
"""PS3.5 6.2, AE."""
_LARGEST_FILE = 1 << 20

T = TypeVar("T", Limits, Times)


def read_settings(path: Path) -> NodeSettings:
    """Raises SegmentationError: RECEIVE_SETTINGS_UNREADABLE, RECEIVE_SETTINGS_INVALID."""
    try:
        with path.open("rb") as stream:
            fields = json.loads(stream.read(_LARGEST_FILE))
    except (OSError, ValueError, RecursionError) as error:
        raise SegmentationError("RECEIVE_SETTINGS_UNREADABLE") from error
    return settings_from(fields, path.absolute().parent)


def settings_from(fields: Any, folder: Path) -> NodeSettings:
    """``folder``: to which paths are relative. Raises SegmentationError("RECEIVE_SETTINGS_INVALID")."""
    group = _Group("", fields, folder)
    listen = group.group("listen")
    settings = NodeSettings(
        listening=Listening(
            address=listen.text("address", Listening.address),
            port=listen.whole("port", Listening.port, 0, 65535),
            ae_title=_checked_title(listen, "ae_title", Listening.ae_title),
            senders=tuple(_sender(entry) for entry in group.entries("senders")),
            tls=_tls(group.group("tls")),
            other_objects=listen.choice("other_objects", OTHER_OBJECTS, Listening.other_objects),
        ),
        limits=_numbers(group.group("limits"), Limits()),
        times=_numbers(group.group("times"), Times()),
        watch=group.path("watch"),
        destinations=tuple(_destination(entry) for entry in group.entries("destinations")),
        reviewers=group.text("reviewers", ""),
        model=group.text("model", ""),
        models_folder=group.path("models_folder"),
        structures=group.names("structures"),
        device=group.text("device", NodeSettings.device),
        options=_job_options(group.group("options")),
        export=group.choices("export", SENT_FORMATS) or NodeSettings.export,
    )
    listen.finish()
    group.finish()
    return settings


def check_settings(settings: NodeSettings) -> None:
    """What only all settings together tell. Raises SegmentationError: RECEIVE_SETTINGS_INVALID, RECEIVE_NO_SENDER."""
    if not settings.listens and settings.watch is None:
        raise SegmentationError("RECEIVE_NO_SENDER")
    if not settings.model:
        raise invalid("no model is named")
    if settings.destinations and not settings.reviewers.strip():
        raise invalid("results are sent, but 'reviewers' does not say who reviews them")
    names = [destination.name for destination in settings.destinations]
    if len(set(names)) < len(names):
        raise invalid("two destinations have the same name")
    for destination in settings.destinations:
        if not set(destination.formats) <= set(settings.export):
            raise invalid("a destination gets a format that is not in 'export'")


def parse_sender(text: str) -> Sender:
    """``AE_TITLE@ADDRESS``. Raises ValueError with what is wrong."""
    title, at, address = text.rpartition("@")
    if not at:
        raise ValueError("give AE_TITLE@ADDRESS")
    check_ae_title(title)
    return Sender(title, parse_network(address))


def check_ae_title(title: str) -> None:
    """Raises ValueError with what is wrong. PS3.5 6.2: 16 characters, no backslash or control characters."""
    is_plain = title.isascii() and title.isprintable() and "\\" not in title and title == title.strip()
    if not (title and is_plain and len(title) <= _LONGEST_AE_TITLE):
        raise ValueError("an AE title has 1 to 16 plain characters")


def parse_network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """An address or a network. Raises ValueError with what is wrong; a network of all addresses is refused."""
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        raise ValueError("give an IP address, or a network such as 10.1.2.0/24") from None
    if network.prefixlen == 0:
        raise ValueError("a network of all addresses lets everybody in")
    return network


def invalid(detail: str) -> SegmentationError:
    """``detail``: a clause without a full stop."""
    return SegmentationError("RECEIVE_SETTINGS_INVALID", detail=detail)


# -- parts -------------------------------------------------------------------------------------------------------------


def _sender(entry: _Group) -> Sender:
    sender = Sender(_checked_title(entry, "ae_title"), entry.checked("address", parse_network))
    entry.finish()
    return sender


def _tls(group: _Group) -> TlsFiles | None:
    paths = [group.path(name) for name in ("certificate", "key", "authorities")]
    group.finish()
    if not any(paths):
        return None
    if None in paths:
        raise invalid(f"'{group.name}' needs certificate, key and authorities")
    return TlsFiles(*paths)


def _destination(entry: _Group) -> Destination:
    kind = entry.choice("kind", DESTINATION_KINDS)
    shared = {
        "name": entry.checked("name", _checked_name),
        "kind": kind,
        "formats": entry.choices("formats", SENT_FORMATS) or ("rtstruct",),
        "tls": _tls(entry.group("tls")),
    }
    if kind == DICOM:
        found = Destination(
            **shared,
            address=entry.text("address"),
            port=entry.whole("port", None, 1, 65535),
            ae_title=_checked_title(entry, "ae_title"),
        )
    else:
        found = Destination(
            **shared,
            url=entry.checked("url", _checked_url),
            user=entry.text("user", ""),
            password_file=entry.path("password_file"),
            token_file=entry.path("token_file"),
            authorities=entry.path("authorities"),
        )
        _check_web(found)
    entry.finish()
    return found


def _check_web(destination: Destination) -> None:
    """Raises SegmentationError where a secret would cross the network in the open."""
    if bool(destination.user) != (destination.password_file is not None):
        raise invalid(f"a {DICOMWEB} destination needs both user and password_file, or neither")
    has_secret = destination.password_file is not None or destination.token_file is not None
    parts = urlsplit(destination.url)
    if has_secret and parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise invalid("a password or token is sent over https only")


def _checked_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError("give a URL that begins with https:// or http://, without user and query")
    return text.rstrip("/")


def _checked_name(text: str) -> str:
    if not (text.replace("-", "").replace("_", "").isalnum() and text.isascii() and len(text) <= 32):
        raise ValueError("use up to 32 letters, digits, - and _")
    return text


def _checked_title(group: _Group, name: str, default: str | None = None) -> str:
    def checked(text: str) -> str:
        check_ae_title(text)
        return text

    return group.checked(name, checked, default)


def _job_options(group: _Group) -> JobOptions:
    default = JobOptions()
    values: dict[str, Any] = {}
    for field in dataclasses.fields(default):
        if field.name == "preview":  # nobody looks
            continue
        usual = getattr(default, field.name)
        if isinstance(usual, bool):
            values[field.name] = group.flag(field.name, usual)
        elif isinstance(usual, float):
            values[field.name] = group.number(field.name, usual)
        else:
            values[field.name] = group.text(field.name, usual or "") or None
    group.finish()
    try:
        return JobOptions(**values)
    except SegmentationError as error:
        raise invalid(f"options.{error.problem.values['detail']} has no such value") from error


def _numbers(group: _Group, default: T) -> T:
    """A dataclass of numbers; a field that may be None takes null."""
    values = {}
    for field in dataclasses.fields(default):
        usual = getattr(default, field.name)
        if field.type == "int":
            values[field.name] = group.whole(field.name, usual, 1, 2**31)
        else:
            values[field.name] = group.number(field.name, usual, "None" in field.type)
    group.finish()
    return type(default)(**values)


class _Group:
    """One object of the file. Each key is taken once; ``finish`` refuses what nobody took."""

    def __init__(self, name: str, fields: Any, folder: Path) -> None:
        if not isinstance(fields, Mapping):
            raise invalid(f"{name or 'the file'} must be an object in braces")
        self.name = name
        self._fields = dict(fields)
        self._folder = folder

    def finish(self) -> None:
        if self._fields:
            raise invalid(f"there is no setting named {self._full(min(self._fields))[:60]}")

    def group(self, name: str) -> _Group:
        return _Group(self._full(name), self._fields.pop(name, {}), self._folder)

    def entries(self, name: str) -> list[_Group]:
        found = self._fields.pop(name, [])
        if not isinstance(found, list):
            raise invalid(f"{self._full(name)} must be a list in brackets")
        return [_Group(f"{self._full(name)}[{number}]", entry, self._folder) for number, entry in enumerate(found)]

    def text(self, name: str, default: str | None = None) -> str:
        value = self._fields.pop(name, default)
        if not isinstance(value, str) or (default is None and not value.strip()):
            raise invalid(f"{self._full(name)} must be a text")
        return value

    def checked(self, name: str, check: Callable[[str], Any], default: str | None = None) -> Any:
        try:
            return check(self.text(name, default))
        except ValueError as error:
            raise invalid(f"{self._full(name)}: {error}") from None

    def choice(self, name: str, choices: tuple[str, ...], default: str | None = None) -> str:
        value = self.text(name, default)
        if value not in choices:
            raise invalid(f"{self._full(name)} must be one of {', '.join(choices)}")
        return value

    def choices(self, name: str, choices: tuple[str, ...]) -> tuple[str, ...]:
        found = self._fields.pop(name, [])
        if not isinstance(found, list) or any(value not in choices for value in found):
            raise invalid(f"{self._full(name)} must be a list of {', '.join(choices)}")
        return tuple(dict.fromkeys(found))

    def names(self, name: str) -> tuple[str, ...] | None:
        found = self._fields.pop(name, None)
        if found is None:
            return None
        if not isinstance(found, list) or not found or not all(isinstance(value, str) for value in found):
            raise invalid(f"{self._full(name)} must be a list of names")
        return tuple(found)

    def path(self, name: str) -> Path | None:
        value = self.text(name, "")
        return self._folder / Path(value).expanduser() if value else None

    def whole(self, name: str, default: int | None, low: int, high: int) -> int:
        value = self._fields.pop(name, default)
        if type(value) is not int or not low <= value <= high:
            raise invalid(f"{self._full(name)} must be a whole number from {low} to {high}")
        return value

    def flag(self, name: str, default: bool) -> bool:
        value = self._fields.pop(name, default)
        if not isinstance(value, bool):
            raise invalid(f"{self._full(name)} must be true or false")
        return value

    def number(self, name: str, default: float | None, may_be_none: bool = False) -> float | None:
        value = self._fields.pop(name, default)
        if value is None and may_be_none:
            return None
        if type(value) not in (int, float) or not (math.isfinite(value) and value >= 0):
            raise invalid(f"{self._full(name)} must be a number of at least 0")
        return float(value)

    def _full(self, name: str) -> str:
        return f"{self.name}.{name}" if self.name else name
