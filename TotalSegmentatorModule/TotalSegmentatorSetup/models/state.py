"""What is known of a model of the catalogue on this computer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from TotalSegmentatorWire.tables.catalogue import CatalogueModel


@dataclass(frozen=True)
class ModelState:
    """A model of the catalogue on this computer."""

    model: CatalogueModel
    is_installed: bool
    disk_bytes: int
    download_bytes: int | None
    """Of what is missing; None where nobody states it."""
    digests: dict[str, str | None]
    """SHA-256 of each part's archive, as published or as first seen here."""

    @property
    def id(self) -> str:
        return self.model.id

    @property
    def title(self) -> str:
        return self.model.title

    @property
    def licence(self) -> str:
        return self.model.licence

    @property
    def unpublished_digests(self) -> list[str]:
        """Names of the parts of whose archive nobody has published the SHA-256."""
        return [part.name for part in self.model.parts if part.sha256 is None]

    def to_json(self) -> dict[str, Any]:
        fields = asdict(self)
        del fields["model"]
        model = self.model
        published = {
            "family": model.family,
            "small_training_set": model.small_training_set,
            "needed_models": list(model.needed_models),
            "citations": list(model.citations),
            "note": model.note,
        }
        return {"id": self.id, "title": self.title, "licence": self.licence, **published, **fields}
