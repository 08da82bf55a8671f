"""Files that are whole and on the disk when the call returns, also after a power cut in the middle of it."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def write_durably(path: Path, parts: Iterable[Any]) -> None:
    """Makes or replaces ``path`` with bytes; it is never seen half written. Raises OSError."""
    draft = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        write_draft(draft, parts)
        place_durably(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def write_draft(draft: Path, parts: Iterable[Any]) -> None:
    """A new file for this user alone (0600), whose content is on the disk. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(draft, flags, 0o600), "wb") as stream:
        for part in parts:
            stream.write(part)
        stream.flush()
        os.fsync(stream.fileno())


def place_durably(draft: Path, path: Path) -> None:
    """Renames a file that ``write_draft`` made, within one disk. Raises OSError."""
    draft.replace(path)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Its content, written before, is on the disk. Raises OSError."""
    with path.open("rb+") as stream:  # Windows syncs only what can be written
        os.fsync(stream.fileno())


def sync_folder(folder: Path) -> None:
    """The names in it are on the disk. Windows has no such call, and no need of it."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, fields: Mapping[str, Any]) -> None:
    """Raises OSError."""
    write_durably(path, [json.dumps(fields, indent=1).encode("ascii")])


def read_json(path: Path) -> dict[str, Any] | None:
    """None where the file is missing or holds no object."""
    try:
        fields = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return fields if isinstance(fields, dict) else None
