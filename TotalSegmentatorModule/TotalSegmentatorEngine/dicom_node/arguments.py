"""The arguments of the command ``receive``."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.command.argument_types import names, not_negative, options_from
from TotalSegmentatorWire.command.parser import PROGRAM

from TotalSegmentatorEngine.dicom_node.settings.node_settings import SENT_FORMATS, Sender


@dataclass(frozen=True)
class ReceiveOptions:
    """What was typed goes before what the settings file says; None where nothing was."""

    folder: Path
    settings: Path | None = None
    model: str | None = None
    models_folder: Path | None = None
    structures: list[str] | None = None
    device: str | None = None
    export: list[str] | None = None
    address: str | None = None
    port: int | None = None
    ae_title: str | None = None
    allow: list[Sender] = field(default_factory=list)
    tls: list[Path] | None = None
    """Certificate, key, and certificates of the authorities."""
    watch: Path | None = None
    quiet: float | None = None
    log: Path | None = None
    status: bool = False
    json: bool = False


def add_receive_command(commands: Any) -> None:
    receive = commands.add_parser(
        "receive", help="receive CTs over the network or in a folder, and send results back", description=_RECEIVE
    )
    receive.add_argument(
        "folder", type=Path, metavar="DIR", help="folder of the node: its queue and its results; made if missing"
    )
    receive.add_argument("--settings", type=Path, metavar="FILE", help="JSON file with all settings; see below")
    receive.add_argument("--log", type=Path, metavar="FILE", help="append a log to this file; it holds no patient data")
    status = receive.add_argument_group("what has become of what was received")
    status.add_argument("--status", action="store_true", help="show it and exit; the node may be running")
    status.add_argument("--json", action="store_true", help="with --status: print JSON, for programs")
    _add_work(receive.add_argument_group("what is done"))
    _add_network(receive.add_argument_group("who may send, and how"))
    receive.set_defaults(make_options=lambda parsed: options_from(parsed, ReceiveOptions))


def _add_work(group: Any) -> None:
    group.add_argument("--model", help="id of a model, such as 117-3mm, or an nnU-Net v2 model folder")
    group.add_argument("--models-folder", type=Path, metavar="DIR", help="folder of installed models")
    group.add_argument("--structures", metavar="NAME,NAME", type=names, help="only these structures")
    group.add_argument("--device", help="auto (default), cpu, cuda, cuda:N or mps")
    group.add_argument(
        "--export",
        metavar="FORMAT,FORMAT",
        type=_formats,
        help=f"formats of the results: {', '.join(SENT_FORMATS)}; the default is rtstruct",
    )


def _add_network(group: Any) -> None:
    group.add_argument(
        "--allow",
        action="append",
        default=[],
        type=_sender,
        metavar="AE_TITLE@ADDRESS",
        help="a sender: its AE title, and its IP address or network; may be given several times",
    )
    group.add_argument("--address", help="IP address to listen on; the default is 127.0.0.1, this computer alone")
    group.add_argument("--port", type=int, help="port to listen on; the default is 11112")
    group.add_argument("--ae-title", type=_title, metavar="TITLE", help="AE title of the node; the default is TOTALSEG")
    group.add_argument(
        "--tls",
        nargs=3,
        type=Path,
        metavar=("CERTIFICATE", "KEY", "AUTHORITIES"),
        help="PEM files; connections are encrypted then, and senders must show a certificate of one of the authorities",
    )
    group.add_argument("--watch", type=Path, metavar="DIR", help="also take DICOM series that appear in this folder")
    group.add_argument(
        "--quiet",
        type=not_negative("a time in seconds"),
        metavar="SECONDS",
        help="a series is complete when nothing came for so long; the default is 30",
    )


def _formats(text: str) -> list[str]:
    found = names(text)
    if any(name not in SENT_FORMATS for name in found):
        raise argparse.ArgumentTypeError(f"choose from {', '.join(SENT_FORMATS)}")
    return found


def _sender(text: str) -> Sender:
    from TotalSegmentatorEngine.dicom_node.settings.settings_file import parse_sender

    try:
        return parse_sender(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _title(text: str) -> str:
    from TotalSegmentatorEngine.dicom_node.settings.settings_file import check_ae_title

    try:
        check_ae_title(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


_RECEIVE = f"""\
Runs a DICOM node until it is stopped (Ctrl+C or SIGTERM): CTs that arrive by C-STORE or appear in a watched folder are
segmented as soon as their series is complete, and the results stay in DIR/results. Only the senders that you name may
connect. Results are sent back only if the settings file names a destination; they are marked "AI, UNREVIEWED", and the
settings say who reviews them. For research use; not a medical device.

  {PROGRAM} receive node --model 117-1.5mm --allow PACS@10.1.2.3 --address 10.1.2.9
  {PROGRAM} receive node --settings node.json
  {PROGRAM} receive node --status

docs/receive.md describes the settings file, TLS, the limits, and when received CTs are deleted."""
