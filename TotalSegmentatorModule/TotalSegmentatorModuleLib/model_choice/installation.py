"""What a choice of models still needs on this computer, in words."""

from __future__ import annotations

from collections.abc import Sequence

from slicer.i18n import tr as _
from TotalSegmentatorWire.choice.structure_choice import download_bytes

from TotalSegmentatorModuleLib.model_choices import CATALOGUE
from TotalSegmentatorModuleLib.texts.quantities import size_text

_NAMED = 2
"""So many models are named; of more, only the number."""


def download_text(model: str) -> str:
    """Such as "1.2 GB download", or that the size is not published."""
    size = download_bytes([model])
    if size is None:
        return _("size not published")
    return _("{size} download").format(size=size_text(size))


def to_install_text(models: Sequence[str]) -> str:
    """What Apply installs first; empty where that is nothing. ``models``: ids of those that are missing."""
    if not models:
        return ""
    if len(models) <= _NAMED:
        if len(models) == 1:
            return _("Apply first installs the model {model}.").format(model=_named(models[0]))
        one, two = map(_named, models)
        return _("Apply first installs the models {model} and {other}.").format(model=one, other=two)
    sizes = [download_bytes([model]) for model in models]
    known = [size for size in sizes if size is not None]
    words = {"count": len(models), "size": size_text(sum(known)), "unknown": len(sizes) - len(known)}
    if len(known) == len(sizes):
        return _("Apply first installs {count} models: {size} to download.").format(**words)
    if len(known) == len(sizes) - 1:
        return _("Apply first installs {count} models: {size} to download, and one of no published size.").format(
            **words
        )
    return _("Apply first installs {count} models: {size} to download, and {unknown} of no published size.").format(
        **words
    )


def models_of_server_text(count: int) -> str:
    """Beside a choice that needs ``count`` models of the department server."""
    if count == 1:
        return _("Whether the department server has this model is not known here; if not, the job ends at its start.")
    return _(
        "Whether the department server has these {count} models is not known here; if one is missing, the job ends at "
        "its start."
    ).format(count=count)


def to_install_details(models: Sequence[str]) -> str:
    """The models one below the other."""
    return "\n".join(map(_named, models))


def _named(model: str) -> str:
    title = CATALOGUE[model].title.partition(" (")[0]
    return _("{model} ({size})").format(model=title, size=download_text(model))
