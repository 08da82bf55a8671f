"""The families of the catalogue: models that find the same structures in different quality."""

from __future__ import annotations

from functools import cache

from slicer.i18n import tr as _
from TotalSegmentatorWire.choice.model_selection import FAST, FINE
from TotalSegmentatorWire.tables.catalogue import CatalogueModel
from TotalSegmentatorWire.tables.structures import structure_table

from TotalSegmentatorModuleLib.model_choices import CATALOGUE

_FINE_MM, _FAST_MM = 1.5, 3.0
_DEFAULT_FAMILY = "104"


@cache
def models_by_family() -> dict[str, tuple[CatalogueModel, ...]]:
    """The models of each family, the finest first."""
    families: dict[str, list[CatalogueModel]] = {}
    for model in CATALOGUE.values():
        families.setdefault(model.family, []).append(model)
    return {family: tuple(sorted(models, key=_spacing)) for family, models in families.items()}


def family_title(family: str) -> str:
    """As a list shows it: "104 structures", "Head: glands, eyes and cavities"."""
    models = models_by_family()[family]
    return models[0].title if len(models) == 1 else models[0].title.partition(", ")[0]


def quality_of(model: str) -> str:
    """FINE or FAST, for structures that other models find as well; ``model`` is an id, or none of the catalogue."""
    known = CATALOGUE.get(model)
    return FAST if known is not None and _spacing(known) > _FINE_MM else FINE


def preferred_family(model: str) -> str | None:
    """The family from which structures come that several have; None for the default one, with which the fewest networks
    may decide."""
    family = CATALOGUE[model].family
    return None if family == _DEFAULT_FAMILY else family


def model_of_family(family: str, like: str) -> str:
    """Id of the family's model whose quality is nearest to that of the model ``like``."""
    former = CATALOGUE.get(like)
    wanted = _spacing(former) if former is not None else _FINE_MM
    return min(models_by_family()[family], key=lambda model: abs(_spacing(model) - wanted)).id


def is_coarse(model: str) -> bool:
    """Whether a model is coarser than FAST: a preview, which no choice of structures asks for by itself."""
    known = CATALOGUE.get(model)
    return known is not None and _spacing(known) > _FAST_MM


def structure_names(model: str) -> tuple[str, ...]:
    """All that a model of the catalogue finds, in label order."""
    return tuple(row.name for row in _table(CATALOGUE[model].structures))


def networks_for(model: str, names: tuple[str, ...] | None) -> tuple[int, int]:
    """How many networks of a model of the catalogue have to run for ``names`` (None: all), and how many it has."""
    count = len(CATALOGUE[model].parts)
    if names is None or count == 1:
        return count, count
    parts = {row.name: row.part_model for row in _table(CATALOGUE[model].structures)}
    return len({parts[name] for name in names if name in parts}), count


def spacing_text(model: CatalogueModel) -> str:
    """Such as "1.5 mm"; empty where only the model folder tells."""
    return _("{spacing:g} mm").format(spacing=model.spacing_mm) if model.spacing_mm else ""


@cache
def _table(name: str) -> tuple:
    return tuple(structure_table(name))


def _spacing(model: CatalogueModel) -> float:
    return model.spacing_mm or _FINE_MM
