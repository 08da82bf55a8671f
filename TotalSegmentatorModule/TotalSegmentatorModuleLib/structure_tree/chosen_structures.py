"""From the names that are chosen to the models that find them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from TotalSegmentatorWire.choice.model_selection import select_models
from TotalSegmentatorWire.messages.model_request import ModelRequest

from TotalSegmentatorModuleLib.model_choice.families import (
    is_coarse,
    networks_for,
    preferred_family,
    quality_of,
    structure_names,
)
from TotalSegmentatorModuleLib.model_choices import CATALOGUE


@dataclass(frozen=True)
class ChosenStructures:
    """What a choice of structures comes to."""

    requests: tuple[ModelRequest, ...]
    """In the order in which they run."""
    names: tuple[str, ...] | None = None
    """None: all of the only model."""
    model_of: Mapping[str, str] = field(default_factory=dict)
    """Id of the model that finds each of ``names``."""
    unavailable: tuple[str, ...] = ()
    """Names that no model finds."""

    @property
    def models(self) -> tuple[str, ...]:
        """Ids of the catalogue; none for the user's own model folder."""
        return tuple(request.model for request in self.requests if request.model in CATALOGUE)

    @property
    def needed_models(self) -> tuple[str, ...]:
        """``models``, and those without which they cannot run, each after those that it needs."""
        return needed_models(self.models)

    @property
    def networks(self) -> tuple[int, int]:
        """How many networks of the models have to run, and how many these models have."""
        counts = [networks_for(each.model, each.structures) for each in self.requests if each.model in CATALOGUE]
        return sum(some for some, _all in counts), sum(every for _some, every in counts)


def needed_models(models: Sequence[str]) -> tuple[str, ...]:
    """``models`` (ids of the catalogue), and those without which they cannot run, each once and before its users."""
    return tuple(dict.fromkeys(each for model in models for each in (*CATALOGUE[model].needed_models, model)))


def whole_model(model: str) -> ChosenStructures:
    """All that ``model`` finds: an id of the catalogue, or a model folder."""
    names = structure_names(model) if model in CATALOGUE else ()
    return ChosenStructures((ModelRequest(model),), None, dict.fromkeys(names, model))


def structures_of_folder(folder: str, names: Sequence[str]) -> ChosenStructures:
    """Some structures of the user's own model."""
    return ChosenStructures((ModelRequest(folder, tuple(names)),), tuple(names), dict.fromkeys(names, folder))


def models_of_others(
    others: Sequence[str], names: Sequence[str], model: str, installed: Collection[str]
) -> dict[str, str]:
    """Which model would find each of ``others`` if it were chosen beside ``names``; the rest as for
    ``structures_of_catalogue``. Those that the same families find have the same answer, so few are asked for."""
    like: dict[frozenset[str], list[str]] = {}
    own = frozenset(structure_names(model)) if is_coarse(model) else frozenset()
    for name in others:
        like.setdefault(_families_of(name) | ({model} if name in own else frozenset()), []).append(name)
    found = {}
    for those in like.values():
        one = structures_of_catalogue([*(each for each in names if each != those[0]), those[0]], model, installed)
        if those[0] in one.model_of:
            found |= dict.fromkeys(those, one.model_of[those[0]])
    return found


@cache
def _families_of_all() -> dict[str, frozenset[str]]:
    families: dict[str, set[str]] = {}
    for model in CATALOGUE.values():
        for name in structure_names(model.id):
            families.setdefault(name, set()).add(model.family)
    return {name: frozenset(those) for name, those in families.items()}


def _families_of(name: str) -> frozenset[str]:
    """Families with a model that finds it."""
    return _families_of_all().get(name, frozenset())


def structures_of_catalogue(names: Sequence[str], model: str, installed: Collection[str]) -> ChosenStructures:
    """Some structures of any models. Those that several find come from ``model`` or its family, be it what the user
    prefers; ``installed``: ids of the models that are there."""
    own = set(structure_names(model)) if is_coarse(model) else set()  # which nobody gets without asking for it
    first = tuple(name for name in names if name in own)
    rest = tuple(name for name in names if name not in own)
    requests = (ModelRequest(model, first),) if first else ()
    if not rest:
        return ChosenStructures(requests, tuple(names), dict.fromkeys(first, model))
    found = select_models(rest, quality_of(model), preferred_family(model), frozenset(installed))
    return ChosenStructures(
        (*requests, *found.requests), tuple(names), {**dict.fromkeys(first, model), **found.model_of}, found.unavailable
    )
