"""What can go wrong with other computers: the department server, and those that send or get DICOM objects. A part of
the table in problem.py."""

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

RECEIVE_ERRORS: dict[str, ErrorDefinition] = table(
    __file__,
    (
        "RECEIVE_SETTINGS_UNREADABLE",
        203,
        _("The settings file cannot be read, or it is not JSON."),
        _("Check its path, and compare it with the example in docs/receive.md."),
    ),
    (
        "RECEIVE_SETTINGS_INVALID",
        204,
        _("The settings of the node are not valid: {detail}."),
        _("Correct the settings file or the options; docs/receive.md lists all settings."),
    ),
    (
        "RECEIVE_NO_SENDER",
        205,
        _("Nobody is allowed to send to this node, and no folder is watched."),
        _("Name each sender with --allow AE_TITLE@ADDRESS or in the settings file, or give a folder with --watch."),
    ),
    (
        "RECEIVE_PORT_UNAVAILABLE",
        206,
        _("The node cannot listen on port {port} of its address."),
        _("Close the program that uses the port, choose another one with --port, or correct --address."),
    ),
    (
        "RECEIVE_FOLDER_IN_USE",
        207,
        _("Another node works in this folder."),
        _("Stop it first, or give this node a folder of its own."),
    ),
    (
        "RECEIVE_TLS_UNUSABLE",
        208,
        _("A certificate or key for TLS cannot be used."),
        _("Give PEM files: a certificate, its unencrypted key, and the certificates of the authorities you trust."),
    ),
    (
        "RECEIVE_WATCH_UNUSABLE",
        209,
        _("The folder to watch does not exist, cannot be read, or lies inside the folder of the node."),
        _("Create it, correct --watch, or choose a folder elsewhere."),
    ),
    (
        "RECEIVE_INCOMPLETE",
        210,
        _("The transfer of a series was cut off, and the rest has not arrived."),
        _("Send the whole series again; until then it is not segmented."),
    ),
    (
        "SEND_UNREACHABLE",
        211,
        _("The destination cannot be reached."),
        _("Check that it runs, and its address, port and firewall in the settings."),
    ),
    (
        "SEND_ASSOCIATION_REJECTED",
        212,
        _("The destination refused the connection."),
        _("Check the AE titles and certificates in the settings, and have this node allowed at the destination."),
    ),
    (
        "SEND_OBJECT_REFUSED",
        213,
        _("The destination refused an object (status {status})."),
        _("Check in the log of the destination why; it may not accept this kind of object."),
    ),
    (
        "SEND_KIND_NOT_ACCEPTED",
        214,
        _("The destination does not accept objects of the kind {modality}."),
        _("Remove this format for the destination in the settings, or allow it at the destination."),
    ),
    (
        "RECEIVE_FOLDER_UNUSABLE",
        215,
        _("The folder of the node cannot be created or written to, or it does not hold a node."),
        _("Check its path and its permissions."),
    ),
)
