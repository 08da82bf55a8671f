"""Which network of a job is running, in words."""

from __future__ import annotations

import re

from slicer.i18n import tr as _
from TotalSegmentatorWire.messages.plan import CROPPING, LOCALIZATION, PREVIEW, SECOND_OPINION, SELF_CHECK
from TotalSegmentatorWire.messages.segment import ProgressEvent
from TotalSegmentatorWire.tables.catalogue import read_catalogue

_PUBLISHED_PART = re.compile(r"_part\d+_([a-z]+)_")
"""In names of data sets that hold a part of a model: Dataset292_TotalSegmentator_part2_vertebrae_1532subj."""


def network_text(event: ProgressEvent) -> str:
    """ "Part 2 of 5: vertebrae"; empty while no network runs."""
    if not event.network:
        return ""
    name = _name(event)
    if event.networks == 1:
        return name
    return _("Part {number} of {count}: {name}").format(number=event.network, count=event.networks, name=name)


def _name(event: ProgressEvent) -> str:
    if event.purpose in (CROPPING, LOCALIZATION):
        return _("finding the region")
    if event.purpose == PREVIEW:
        return _("preview")
    if event.purpose == SECOND_OPINION:
        return _("second opinion")
    if event.purpose == SELF_CHECK:
        return _("check against exact labels")
    published = _PUBLISHED_PART.search(event.part)
    if published is not None:
        return _part_names().get(published[1], published[1])
    model = read_catalogue().get(event.model)
    return model.title if model is not None else event.part


def _part_names() -> dict[str, str]:
    return {
        "organs": _("organs"),
        "vertebrae": _("vertebrae"),
        "cardiac": _("heart and vessels"),
        "muscles": _("muscles"),
        "ribs": _("ribs"),
    }
