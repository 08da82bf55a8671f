"""What an installation would do: the answer of ``setup --show --json``, checked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.segment import problem_from_json

ENGINE = "engine"


@dataclass(frozen=True)
class PlanItem:
    """The engine's packages or a model. Sizes are bytes, None where unknown."""

    kind: str
    title: str
    purpose: str
    licence: str
    host: str
    """Servers that it comes from; empty if it comes from a folder."""
    bytes: int | None
    disk_bytes: int | None
    is_installed: bool
    weights_licence: str = ""
    """Of a task's weights, as their publisher states it; empty for everything else."""
    has_no_checksum: bool = False
    """Nobody publishes one for the archive."""
    is_of_few_images: bool = False
    """The publisher says that the model was trained with few."""
    citations: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class SetupPlan:
    items: tuple[PlanItem, ...]
    engine_folder: str
    models_folder: str
    free_bytes: int | None
    device: str
    warnings: tuple[Problem, ...]
    is_outdated: bool
    """There are packages, made for another version of this module."""

    @property
    def missing(self) -> tuple[PlanItem, ...]:
        return tuple(item for item in self.items if not item.is_installed)

    @property
    def download_bytes(self) -> int | None:
        """Of everything that is missing; None if a size is unknown."""
        return _sum([item.bytes for item in self.missing])

    @property
    def disk_bytes(self) -> int | None:
        return _sum([item.disk_bytes for item in self.missing])


def setup_plan(text: str) -> SetupPlan:
    """Raises ValueError where ``text`` is not such an answer."""
    try:
        fields = json.loads(text)
        return SetupPlan(
            items=tuple(_item(item) for item in fields["items"]),
            engine_folder=str(fields["folders"]["engine"]),
            models_folder=str(fields["folders"]["models"]),
            free_bytes=_count(fields["free_bytes"]),
            device=str(fields["device"]["name"]),
            warnings=tuple(problem_from_json(problem) for problem in fields["warnings"]),
            is_outdated=bool((fields["engine"] or {}).get("outdated", False)),
        )
    except (KeyError, TypeError, AttributeError, SegmentationError) as error:
        raise ValueError("not a plan of the set-up") from error


def _item(fields: dict[str, Any]) -> PlanItem:
    return PlanItem(
        kind=str(fields["kind"]),
        title=str(fields["title"]),
        purpose=str(fields["purpose"]),
        licence=str(fields["licence"]),
        host=str(fields["host"]),
        bytes=_count(fields["bytes"]),
        disk_bytes=_count(fields["disk_bytes"]),
        is_installed=bool(fields["installed"]),
        weights_licence=str(fields["weights_licence"]) if fields.get("is_task") else "",
        has_no_checksum=bool(fields.get("unchecked")),
        is_of_few_images=bool(fields.get("small_training_set")),
        citations=tuple(map(str, fields.get("citations", ()))),
        note=str(fields.get("note", "")),
    )


def _count(value: Any) -> int | None:
    return None if value is None else int(value)


def _sum(counts: list[int | None]) -> int | None:
    return None if None in counts else sum(counts)
