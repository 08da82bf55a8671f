"""What can go wrong between this computer and a Dask cluster; a part of the table in problem.py."""

from __future__ import annotations

from TotalSegmentatorWire.errors.definition import ErrorDefinition, table
from TotalSegmentatorWire.errors.definition import translatable as _

CLUSTER_ERRORS: dict[str, ErrorDefinition] = table(
    __file__,
    (
        "SCHEDULER_ADDRESS_INVALID",
        132,
        _("{address} is not the address of a Dask scheduler."),
        _("Give it as tls://NAME:8786, or as tcp://127.0.0.1:8786 for a scheduler on this computer."),
    ),
    (
        "SCHEDULER_NEEDS_TLS",
        133,
        _(
            "No connection was made: a Dask scheduler on another computer is used only with mutual TLS, which needs an "
            "address that starts with tls:// and three files."
        ),
        _(
            "Use the scheduler's tls:// address, and name the files of the certificate authority, of your certificate "
            "and of its key."
        ),
    ),
    (
        "TLS_FILE_UNUSABLE",
        134,
        _("{file} cannot be used for TLS: it is missing or not readable, or it does not fit the other two files."),
        _(
            "Name three PEM files: the certificate of the authority, your certificate signed by it, and the key of "
            "your certificate, without a passphrase."
        ),
    ),
    (
        "SCHEDULER_NOT_REACHED",
        135,
        _("No Dask scheduler answered at the address within {seconds:.0f} s."),
        _(
            "Check that the scheduler runs, that no firewall lies between, and that the address is the one that the "
            "scheduler shows when it starts, with its port and tcp:// or tls://."
        ),
    ),
    (
        "CLUSTER_VERSIONS_DIFFER",
        136,
        _("The Dask cluster runs other software than this computer: {package} is {theirs} there and {ours} here."),
        _("Install the same versions on the scheduler, the workers and this computer, and start them again."),
    ),
    (
        "SCHEDULER_CERTIFICATE_REFUSED",
        240,
        _(
            "This computer and the Dask scheduler could not agree on TLS: one does not accept the other's certificate, "
            "or the scheduler uses no TLS."
        ),
        _(
            "Use certificates of the same authority on both sides, check that none has expired, and start the "
            "scheduler with its three TLS options."
        ),
    ),
    (
        "CLUSTER_PLACE_DIFFERS",
        241,
        _("A worker of the Dask cluster does not find at the path of {option} what this computer finds there."),
        _(
            "Put the CTs, the models and the output on file systems that all workers mount at the same paths, and give "
            "those paths."
        ),
    ),
    (
        "CLUSTER_NO_WORKERS",
        242,
        _("The workers of the Dask cluster do not start, or end before they begin to segment."),
        _("Look at what they print; start fewer a computer if the memory is short, or run without --scheduler."),
    ),
    (
        "SCHEDULER_LOST",
        243,
        _("The connection to the Dask scheduler was lost."),
        _("Start the scheduler and its workers again, then the same command: what is done is kept."),
    ),
    (
        "SCHEDULER_NOT_STARTED",
        244,
        _("The Dask scheduler cannot listen at the address."),
        _("Give a name or an address of this computer, and a port that no other program uses."),
    ),
)
