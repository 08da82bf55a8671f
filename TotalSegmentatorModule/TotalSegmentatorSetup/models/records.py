"""What was installed, when, from where and with which digests: ``installed.json`` in the models folder.

A removed model's digests stay: upstream states none for most archives, so the first one seen here is the one that
later downloads must have.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

RECORDS_FILE = "installed.json"
_VERSION = 1


@dataclass(frozen=True)
class PartRecord:
    """One part of a model, or a model of the user's own."""

    name: str
    """Folder below the models folder."""
    model: str | None
    """Id of the catalogue; None for the user's own."""
    archive_sha256: str | None
    """None where it came as a folder."""
    source: str
    """Host name, "file" or "folder"."""
    installed: str
    """ISO 8601, UTC."""
    licence: str | None = None
    files: dict[str, list[Any]] = field(default_factory=dict)
    """Path below the part's folder to [bytes, sha256]; empty once the part was removed."""


class ModelRecords:
    """The records in ``models_folder``. An unreadable file counts as empty: installing writes it anew."""

    def __init__(self, models_folder: Path) -> None:
        self._file = models_folder / RECORDS_FILE

    def all(self) -> dict[str, PartRecord]:
        """By name of the part."""
        try:
            rows = json.loads(self._file.read_text(encoding="utf-8"))["parts"]
            return {row["name"]: PartRecord(**row) for row in rows}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def own_names(self) -> list[str]:
        """Folders of the user's own models that were added and are still there."""
        folder = self._file.parent
        own = (name for name, record in self.all().items() if record.model is None and record.files)
        return [name for name in own if (folder / name).is_dir()]

    def of(self, name: str) -> PartRecord | None:
        return self.all().get(name)

    def archive_digest(self, name: str) -> str | None:
        """Of the archive that a part was installed from; None where none was seen."""
        record = self.of(name)
        return None if record is None else record.archive_sha256

    def remember(self, record: PartRecord) -> None:
        """The caller holds the lock of the models folder."""
        self._write({**self.all(), record.name: record})

    def mark_removed(self, name: str, forgets_digest: bool = False) -> None:
        """Keeps the digest of the archive, unless it is to be forgotten; nobody publishes that of a user's own."""
        records = self.all()
        if name not in records:
            return
        if forgets_digest or records[name].model is None:
            del records[name]
            self._write(records)
        else:
            self._write({**records, name: replace(records[name], files={})})

    def keep_only(self, names: Collection[str]) -> None:
        """Forget everything else, digests too: the whole product is removed."""
        self._write({name: record for name, record in self.all().items() if name in names})

    def _write(self, records: dict[str, PartRecord]) -> None:
        """Without any records there is no file."""
        if not records:
            self._file.unlink(missing_ok=True)
            return
        text = json.dumps({"version": _VERSION, "parts": [asdict(record) for record in records.values()]}, indent=1)
        draft = self._file.with_name(f"{RECORDS_FILE}.{os.getpid()}")
        draft.write_text(text, encoding="utf-8")
        draft.replace(self._file)
