"""The name of a new result, by which several results of one CT can be told apart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from slicer.i18n import tr as _
from TotalSegmentatorWire.messages.segment import ResultHeader

from TotalSegmentatorModuleLib.model_choices import CATALOGUE
from TotalSegmentatorModuleLib.segment.name_lists import readable_name

_NAMED = 2
"""So many structures are named, more are counted."""


def result_name(ct_name: str, header: ResultHeader, is_edited: bool = False) -> str:
    """For example "CT \u2013 104 structures, 1.5 mm \u2013 14:32"; ``ct_name`` may be empty. ``is_edited``: a preview
    on which somebody has worked."""
    name = partial(name_of_result, ct_name, [found.name for found in header.found], header.models, header.created)
    if header.preview_of is None:
        return name()
    return name(_("preview, edited") if is_edited else _("preview"))


def name_of_result(
    ct_name: str, structures: Sequence[str], models: Sequence[str], created: str, remark: str = ""
) -> str:
    """The same of what ResultHeader holds, with a word about the model's result."""
    names = [readable_name(name) for name in structures]
    if len(names) <= _NAMED:
        contents = ", ".join(names) or _("no structures")
    else:
        contents = _("{count} structures").format(count=len(names))
    model = _models_text(models)
    model = _("{model} {remark}").format(model=model, remark=remark) if remark else model
    return _("{ct} \u2013 {structures}, {model} \u2013 {time}").format(
        ct=ct_name or _("CT"), structures=contents, model=model, time=_clock(created)
    )


def _models_text(models: Sequence[str]) -> str:
    """Each voxel spacing once."""
    return ", ".join(dict.fromkeys(map(_model_text, models)))


def _model_text(model: str) -> str:
    """The voxel spacing of a model for the whole body; of another one its name."""
    known = CATALOGUE.get(model)
    if known is None:
        return model
    return model.replace("_", " ") if known.is_task else _("{spacing:g} mm").format(spacing=known.spacing_mm)


def _clock(created: str) -> str:
    """An ISO 8601 time as hours and minutes in the computer's time zone, now where it cannot be read."""
    try:
        moment = datetime.fromisoformat(created).astimezone()
    except ValueError:
        moment = datetime.now().astimezone()
    return moment.strftime("%H:%M")
