"""Which models find a choice of structures: the finest, and of equally fine ones the fewest models and networks.

Several models find a structure in two cases. Models of one *family* have the same structures in different quality: one
of them is taken. A structure that two families have comes from the preferred one, else from the one whose model has the
smallest voxels. Where several have equally small ones, from a model that has to run anyway, else from the first family
of the catalogue.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

from TotalSegmentatorWire.choice.presets import Preset
from TotalSegmentatorWire.messages.model_request import ModelRequest
from TotalSegmentatorWire.tables.catalogue import CatalogueModel, read_catalogue, with_needed_models
from TotalSegmentatorWire.tables.structures import structure_table

FINE, FAST = QUALITIES = ("fine", "fast")
FAST_MM = 3.0
"""Voxels of the fast whole-body models; those of finer models do not make a result of this quality better."""
_SAME_FINENESS = 1.001
"""Voxels that differ by less are equally fine: some plans state their spacing with rounding errors."""


@dataclass(frozen=True)
class Selection:
    """What is to run for a choice."""

    requests: tuple[ModelRequest, ...]
    """In the order of the catalogue: whole-body models before those of a region."""
    model_of: Mapping[str, str]
    """Name of a structure to the id of the model that finds it."""
    unavailable: tuple[str, ...]
    """Names that no model of the catalogue finds."""
    networks: int
    """How many networks run, without those that only locate."""

    @property
    def needed_models(self) -> tuple[str, ...]:
        """Ids of all models that must be installed, those that only locate included."""
        return tuple(with_needed_models(request.model for request in self.requests))


def select_models(
    names: Iterable[str],
    quality: str = FINE,
    prefer: str | None = None,
    installed: Collection[str] = frozenset(),
    helpers: Iterable[str] = (),
) -> Selection:
    """The requests that cover ``names`` of the label tables, and of ``helpers`` those that a model that runs for the
    names finds as well.

    ``quality``: FINE takes the finest model of each family, FAST the whole-body models at 3 mm and the fast model of a
    task where it has one. ``prefer``: a family, for the structures that it has. ``installed``: ids of models; where
    other families find a structure equally finely, what need not be downloaded is taken first.
    """
    offers = _offers(quality)
    asked = tuple(dict.fromkeys(names))
    finders = {name: _best(name, [offer for offer in offers if name in offer.parts], prefer) for name in asked}
    fixed = {name: those[0] for name, those in finders.items() if len(those) == 1}
    running = list(dict.fromkeys(fixed.values()))
    open_names = [name for name, those in finders.items() if those and not any(each in running for each in those)]
    running += _fewest_models(open_names, finders, running, installed)
    helping = [name for name in dict.fromkeys(helpers) if name not in finders]
    for name in helping:
        those = [offer for offer in offers if offer in running and name in offer.parts]
        finders[name] = _best(name, those, prefer)
    asked += tuple(name for name in helping if finders[name])
    return _selection(asked, _networks(finders, fixed, sorted(running, key=offers.index)), offers)


def structures_of_preset(preset: Preset, prefer: str | None = None) -> tuple[str, ...]:
    """Names of the structures that models compute for it. "All" means the structures of the preferred family."""
    if preset.whole_family and prefer is not None:
        tables = {model.structures for model in read_catalogue().values() if model.family == prefer}
        return tuple(dict.fromkeys(row.name for table in sorted(tables) for row in structure_table(table)))
    return preset.structures


def families() -> tuple[str, ...]:
    """Of the catalogue, in its order; the first one is the default."""
    return tuple(dict.fromkeys(model.family for model in read_catalogue().values()))


@dataclass(frozen=True, eq=False)
class _Offer:
    """The model that a family has for a quality."""

    model: str
    family: str
    parts: Mapping[str, str]
    """Name of a structure to the part that finds it."""
    helpers: frozenset[str]
    """Of these names those that only helped to train the model."""
    voxel_mm3: float
    """Of the network, at least that of the quality; infinite where only the model folder tells."""
    models: frozenset[str]
    """Its id, and those of the models that must run before it."""
    place: int
    """In the catalogue."""


_Network = tuple[_Offer, str]
"""The model and its part."""


@cache
def _offers(quality: str) -> tuple[_Offer, ...]:
    of_family: dict[str, list[CatalogueModel]] = {}
    for model in read_catalogue().values():
        of_family.setdefault(model.family, []).append(model)
    chosen = (_of_quality(models, quality) for models in of_family.values())
    return tuple(
        _Offer(
            model.id,
            model.family,
            _parts(model),
            frozenset(model.training_helpers),
            max(_voxel_mm3(model), FAST_MM**3 if quality == FAST else 0.0),
            frozenset([model.id, *model.needed_models]),
            place,
        )
        for place, model in enumerate(chosen)
    )


def _voxel_mm3(model: CatalogueModel) -> float:
    if model.resample_mm is not None:
        return math.prod(model.resample_mm)
    return math.inf if model.spacing_mm is None else model.spacing_mm**3


def _best(name: str, those: Sequence[_Offer], prefer: str | None) -> list[_Offer]:
    """Of the offers that find the structure ``name`` the preferred one, else the finest ones."""
    preferred = [offer for offer in those if offer.family == prefer]
    if preferred or not those:
        return preferred
    those = [offer for offer in those if name not in offer.helpers] or those
    finest = min(offer.voxel_mm3 for offer in those)
    return [offer for offer in those if offer.voxel_mm3 <= finest * _SAME_FINENESS]


def _of_quality(models: Sequence[CatalogueModel], quality: str) -> CatalogueModel:
    """FAST: the finest of those with large voxels; a family without any, and FINE: the finest."""
    by_spacing = sorted(models, key=lambda model: model.spacing_mm or 0)
    fast = [model for model in by_spacing if (model.spacing_mm or 0) >= FAST_MM]
    return fast[0] if fast and quality == FAST else by_spacing[0]


def _parts(model: CatalogueModel) -> dict[str, str]:
    rows = structure_table(model.structures)
    if len(model.parts) == 1:  # the table's parts are those of the finest model
        return dict.fromkeys((row.name for row in rows), model.parts[0].name)
    return {row.name: row.part_model for row in rows}


def _fewest_models(
    names: Collection[str],
    finders: Mapping[str, Sequence[_Offer]],
    running: Sequence[_Offer],
    installed: Collection[str],
) -> tuple[_Offer, ...]:
    """Offers that together find all of ``names``: the fewest downloads, then the fewest models with those that locate
    for them, then the first ones of the catalogue. There are few: most structures have one family."""
    have = {model for offer in running for model in offer.models}
    useful = list(dict.fromkeys(offer for name in names for offer in finders[name]))

    def cost(some: Sequence[_Offer]) -> tuple[int, int, list[int]]:
        more = {model for offer in some for model in offer.models} - have
        return len(more.difference(installed)), len(more), sorted(offer.place for offer in some)

    covering = (
        some
        for size in range(len(useful) + 1)
        for some in combinations(useful, size)
        if all(any(offer in some for offer in finders[name]) for name in names)
    )
    return min(covering, key=cost)


def _networks(
    finders: Mapping[str, Sequence[_Offer]], fixed: Mapping[str, _Offer], running: Sequence[_Offer]
) -> dict[str, _Network]:
    """The network that finds each structure: one that runs anyway, else the fewest of others."""
    found = {name: (offer, offer.parts[name]) for name, offer in fixed.items()}
    choices = {
        name: [(offer, offer.parts[name]) for offer in running if offer in those]
        for name, those in finders.items()
        if those and name not in found
    }
    have = set(found.values())
    open_names = [name for name, those in choices.items() if have.isdisjoint(those)]
    useful = list(dict.fromkeys(network for name in open_names for network in choices[name]))
    have |= set(_fewest_networks(open_names, choices, useful))
    return found | {name: next(each for each in those if each in have) for name, those in choices.items()}


def _fewest_networks(
    names: Sequence[str], choices: Mapping[str, Sequence[_Network]], useful: Sequence[_Network]
) -> tuple[_Network, ...]:
    """The first of the smallest sets; ``useful`` is in the order of preference."""
    ordered = sorted(useful, key=lambda network: network[0].place)
    for size in range(len(ordered) + 1):
        for some in combinations(ordered, size):
            if all(any(each in some for each in choices[name]) for name in names):
                return some
    raise AssertionError("all networks together find all")


def _selection(asked: Sequence[str], networks: Mapping[str, _Network], offers: Sequence[_Offer]) -> Selection:
    model_of = {name: networks[name][0].model for name in asked if name in networks}
    requests = []
    for offer in offers:
        names = tuple(name for name in offer.parts if model_of.get(name) == offer.model)
        if names:
            requests.append(ModelRequest(offer.model, None if len(names) == len(offer.parts) else names))
    unavailable = tuple(name for name in asked if name not in networks)
    return Selection(tuple(requests), model_of, unavailable, len(set(networks.values())))
