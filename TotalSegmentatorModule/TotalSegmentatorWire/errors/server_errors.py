"""What can go wrong with a job on the department server; a part of the table in problem.py."""

from __future__ import annotations

from TotalSegmentatorWire.errors.definition import ErrorDefinition, table
from TotalSegmentatorWire.errors.definition import translatable as _

SERVER_ERRORS: dict[str, ErrorDefinition] = table(
    __file__,
    (
        "SERVER_CANNOT_RUN_JOB",
        138,
        _("The department server cannot run this job: {reason}."),
        _("Run the job on this computer instead, or ask the administrator of the server."),
    ),
    (
        "SERVER_LACKS_MODEL",
        139,
        _("The model '{model}' is not installed on the department server, or is damaged there."),
        _("Run the job on this computer instead, choose another model, or ask the administrator to install this one."),
    ),
    (
        "SERVER_BUSY",
        140,
        _("No worker of the department server was free within {seconds:.0f} s."),
        _("Run the job on this computer instead, or try again later."),
    ),
    (
        "SERVER_LOST",
        142,
        _(
            "The department server gave no result: the connection was lost, or its worker ended, perhaps for lack of "
            "memory."
        ),
        _("Run the job on this computer instead, or try again later. The scene is unchanged."),
    ),
)
