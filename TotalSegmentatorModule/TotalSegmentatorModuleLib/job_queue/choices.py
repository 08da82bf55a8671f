"""The choices of a queued CT: from an order, and to one."""

from __future__ import annotations

from pathlib import Path

from slicer.i18n import tr as _
from TotalSegmentatorWire.messages.department_server import server_from_json
from TotalSegmentatorWire.messages.model_request import ModelRequest, requests_from_json, requests_to_json
from TotalSegmentatorWire.messages.options import options_from_json

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.job_queue.queued_ct import QueuedChoices
from TotalSegmentatorModuleLib.model_choices import CATALOGUE
from TotalSegmentatorModuleLib.segment.name_lists import readable_names
from TotalSegmentatorModuleLib.segment.progress_text import options_text
from TotalSegmentatorModuleLib.segment.session import Arrival, JobOrder
from TotalSegmentatorModuleLib.texts.lists import listed

_NAMED = 8
"""So many structures are named, more are counted."""


def choices_of(order: JobOrder) -> QueuedChoices:
    server = None if order.server is None else order.server.to_json()
    return QueuedChoices(requests_to_json(order.requests), order.device, order.options.to_json(), server)


def order_of(choices: QueuedChoices, ct, arrival: Arrival | None = None) -> JobOrder:
    """For ``ct`` (vtkMRMLScalarVolumeNode), which gets a segmentation of its own. Raises SegmentationError for choices
    that this version does not know."""
    return JobOrder(
        ct=ct,
        requests=requests_from_json(choices.requests),
        models_folder=settings.models_folder(),
        device=choices.device,
        arrival=arrival,
        options=options_from_json(choices.options),
        server=None if choices.server is None else server_from_json(choices.server),
        is_queued=True,
    )


def choices_text(choices: QueuedChoices) -> str:
    """In words, a line for each model and one for the rest."""
    lines = [_request_text(request) for request in requests_from_json(choices.requests)]
    if choices.server is not None:
        lines.append(_("On the department server"))
    elif choices.device != "auto":
        lines.append(_("Device: {device}").format(device=choices.device))
    options = options_text(choices.options)
    if options:
        lines.append(_("Options: {options}").format(options=options))
    return "\n".join(lines)


def _request_text(request: ModelRequest) -> str:
    known = CATALOGUE.get(request.model)
    model = known.title if known is not None else Path(request.model).name
    if request.structures is None:
        return _("{model}: all structures").format(model=model)
    names = listed(readable_names(request.structures), _NAMED)
    return _("{model}: {structures}").format(model=model, structures=names)
