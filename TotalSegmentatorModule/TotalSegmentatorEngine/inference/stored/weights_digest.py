"""The digest of weight files, without reading them again while they are the same files as before.

Reading 120 MB from a cold disk takes longer than reading the stored network alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

SEEN_WEIGHTS = "seen-weights.json"
"""In the folder of stored networks: digests by what the system says of a file, without its name."""
_MOST_SEEN = 500
_LONGEST_FILE = 2**20
_BLOCK = 2**22


def weights_digest(files: Sequence[Path], seen_file: Path) -> str:
    """SHA-256 over the files' own. Raises OSError where one cannot be read."""
    seen = _seen(seen_file)
    places = [_place(path) for path in files]
    news = {place: _digest(path) for place, path in zip(places, files, strict=True) if place not in seen}
    if news:
        seen = {**seen, **news}
        _keep(seen_file, dict(list(seen.items())[-_MOST_SEEN:]))
    return hashlib.sha256("".join(seen[place] for place in places).encode("ascii")).hexdigest()


def _place(path: Path) -> str:
    """Another one where the file was changed or replaced: no program can set the time of a file's last change (ctime)
    but by changing the clock."""
    status = path.stat()
    told = (str(path.resolve()), status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return hashlib.sha256(repr(told).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _seen(file: Path) -> dict[str, str]:
    try:
        if file.stat().st_size > _LONGEST_FILE:
            return {}
        seen = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    is_whole = isinstance(seen, dict) and all(isinstance(digest, str) and len(digest) == 64 for digest in seen.values())
    return seen if is_whole else {}


def _keep(file: Path, seen: dict[str, str]) -> None:
    """Where that is impossible, the weights are read another time."""
    draft = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    with suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as stream:
                json.dump(seen, stream)
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)
