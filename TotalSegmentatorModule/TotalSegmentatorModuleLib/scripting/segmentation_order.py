"""What a script asks of a segmentation, as an order of the session."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from TotalSegmentatorWire.choice.model_selection import FINE
from TotalSegmentatorWire.messages.department_server import DepartmentServer
from TotalSegmentatorWire.messages.model_request import ModelRequest, model_request
from TotalSegmentatorWire.messages.options import JobOptions

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.department_server.server_settings import stored_server
from TotalSegmentatorModuleLib.model_choice.recommendation import recommendation_here
from TotalSegmentatorModuleLib.model_choices import CATALOGUE, OWN_FOLDER, initial_model
from TotalSegmentatorModuleLib.scripting.preset_choice import chosen_requests
from TotalSegmentatorModuleLib.segment.session import JobOrder
from TotalSegmentatorModuleLib.structure_tree.name_list import known_names, parse_names

COMPUTER, SERVER = "computer", "server"
"""Where a script's segmentation runs: on this computer, or on the department server of the settings."""


def segmentation_order(
    ct,
    output=None,
    structures: str | Iterable[str] | None = None,
    model: str | os.PathLike | None = None,
    *,
    preset: str | os.PathLike = "",
    quality: str = "",
    prefer: str | None = None,
    models_folder: str | os.PathLike | None = None,
    device: str = "auto",
    run_on: str = COMPUTER,
    **options,
) -> JobOrder:
    """The arguments are those of the logic's ``process``.

    Raises SegmentationError: STRUCTURE_UNKNOWN, BAD_REQUEST for an option's value, what ``chosen_requests`` raises;
    TypeError for an unknown option; ValueError for a place that does not exist or has no address, and for a model
    beside a preset, a quality or a family.
    """
    folder = Path(models_folder) if models_folder is not None else settings.models_folder()
    server = _server(run_on)
    if preset or quality or prefer is not None:
        if model is not None:
            raise ValueError("give either a model, or a preset, quality and family")
        requests = chosen_requests(preset, structures, quality, prefer, folder, runs_here=server is None)
    else:
        requests = (_request_of_model(model, structures, folder, _quality(device, runs_here=server is None)),)
    return JobOrder(
        ct=ct,
        requests=requests,
        models_folder=folder,
        device=device,
        output=output,
        options=JobOptions(**options),
        server=server,
    )


def _request_of_model(
    model: str | os.PathLike | None, structures: str | Iterable[str] | None, folder: Path, quality: str
) -> ModelRequest:
    if model is None:
        model_id, own_folder = initial_model(folder, quality)
    elif str(model) in CATALOGUE:
        model_id, own_folder = str(model), ""
    else:
        model_id, own_folder = OWN_FOLDER, os.fspath(model)
    names = parse_names(_comma_separated(structures), known_names(model_id, own_folder))
    return model_request(own_folder if model_id == OWN_FOLDER else model_id, names)


def _quality(device: str, runs_here: bool) -> str:
    """What the panel suggests."""
    return recommendation_here(device).quality if runs_here else FINE


def _server(run_on: str) -> DepartmentServer | None:
    if run_on == COMPUTER:
        return None
    if run_on != SERVER:
        raise ValueError("run_on is {} or {}, not {}".format(COMPUTER, SERVER, run_on))
    server = stored_server()
    if server is None:
        raise ValueError("no department server is set: enter its address in the section Set-up of the panel")
    return server


def _comma_separated(structures: str | Iterable[str] | None) -> str:
    if structures is None or isinstance(structures, str):
        return structures or ""
    return ",".join(structures)
