"""Runs the command ``receive``."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from TotalSegmentatorWire.command.command_run import open_log
from TotalSegmentatorWire.command.log_text import warnings_to_log
from TotalSegmentatorWire.command.terminal import Terminal
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.model_request import model_request
from TotalSegmentatorWire.user_folders import default_models_folder

from TotalSegmentatorEngine.dicom_node.arguments import ReceiveOptions
from TotalSegmentatorEngine.dicom_node.node_folder import NodeFolder
from TotalSegmentatorEngine.dicom_node.node_status import read_status, status_page
from TotalSegmentatorEngine.dicom_node.settings.node_settings import NodeSettings, TlsFiles
from TotalSegmentatorEngine.dicom_node.settings.settings_file import check_settings, read_settings
from TotalSegmentatorEngine.job.task import SegmentationTask
from TotalSegmentatorEngine.machine.loopback import is_loopback

if TYPE_CHECKING:
    from TotalSegmentatorEngine.dicom_node.receiving_node import ReceivingNode

SOME_FAILED = 1
"""Exit status of ``--status`` where a series failed or is incomplete, or a result could not be sent."""

_log = logging.getLogger(__name__)


def run(options: ReceiveOptions) -> int:
    """Returns the exit status: 0 too when the node was stopped. Raises SegmentationError."""
    folder = NodeFolder(options.folder)
    if options.status:
        return _show_status(folder, options.json)
    settings = settings_of(options)
    check_settings(settings)
    _check_watch(settings, folder)
    mask = os.umask(0o077)  # all files are this user's alone, also those that libraries write
    handler = open_log(options.log)
    try:
        with warnings_to_log():
            folder.prepare()
            with folder.held():
                _run_node(settings, folder)
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
        os.umask(mask)
    return 0


def settings_of(options: ReceiveOptions) -> NodeSettings:
    """Those of the file, with what was typed in their place. Raises SegmentationError as ``read_settings``."""
    settings = NodeSettings() if options.settings is None else read_settings(options.settings)
    listening = dataclasses.replace(
        settings.listening,
        senders=(*settings.listening.senders, *options.allow),
        **_typed(options, "address", "port", "ae_title"),
    )
    if options.tls is not None:
        listening = dataclasses.replace(listening, tls=TlsFiles(*options.tls))
    times = settings.times
    if options.quiet is not None:
        times = dataclasses.replace(times, quiet_seconds=options.quiet)
    lists = {name: tuple(value) for name, value in _typed(options, "export", "structures").items()}
    return dataclasses.replace(
        settings,
        listening=listening,
        times=times,
        **lists,
        **_typed(options, "model", "models_folder", "device", "watch"),
    )


def _typed(options: ReceiveOptions, *names: str) -> dict:
    values = {name: getattr(options, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _check_watch(settings: NodeSettings, folder: NodeFolder) -> None:
    """Raises SegmentationError("RECEIVE_WATCH_UNUSABLE")."""
    watch = settings.watch
    if watch is None:
        return
    own, watched = folder.path.resolve(), watch.resolve()
    if not os.access(watch, os.R_OK | os.X_OK) or not watch.is_dir() or own == watched:
        raise SegmentationError("RECEIVE_WATCH_UNUSABLE")
    if own in watched.parents or watched in own.parents:
        raise SegmentationError("RECEIVE_WATCH_UNUSABLE")


def _run_node(settings: NodeSettings, folder: NodeFolder) -> None:
    from TotalSegmentatorEngine.batch.running.case_task import make_case_task
    from TotalSegmentatorEngine.dicom_node.receiving_node import ReceivingNode

    task = SegmentationTask(
        (model_request(settings.model, settings.structures),),
        settings.models_folder or default_models_folder(),
        settings.device,
        settings.options,
    )
    terminal = Terminal()

    def say(text: str) -> None:
        terminal.show_note(text)
        _log.info("%s", text)

    node = ReceivingNode(settings, folder, make_case_task(task, settings.export), say)
    with _stopped_by_signals(node):
        node.run(lambda: _greet(settings, node.port, say))
    say("stopped")


@contextmanager
def _stopped_by_signals(node: ReceivingNode) -> Iterator[None]:
    def stop(number: int, frame: object) -> None:
        node.stop()

    previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, action in previous.items():
            signal.signal(number, action)


def _greet(settings: NodeSettings, port: int | None, say: Callable[[str], None]) -> None:
    """What the operator must know: who can reach the node, where results go, and who reviews them."""
    listening = settings.listening
    if port is not None:
        count = len(listening.senders)
        senders = "1 allowed sender" if count == 1 else f"{count} allowed senders"
        say(f"{listening.ae_title} listens on {listening.address}, port {port}, for {senders}")
        if listening.tls is None and not is_loopback(listening.address):
            say("connections are not encrypted: patient data cross the network in the open; see TLS in docs/receive.md")
    if settings.watch is not None:
        say("a folder is watched")
    if not settings.destinations:
        say("results are not sent anywhere: no destination is named")
    for destination in settings.destinations:
        say(f"results are sent to {destination.name}: {', '.join(destination.formats)}")
        if destination.is_in_the_open:
            say(f"the connection to {destination.name} is not encrypted: patient data cross the network in the open")
    if settings.destinations:
        say(f'what is sent is marked "AI, UNREVIEWED"; it must be reviewed by: {settings.reviewers}')
    keep = settings.times.keep_days
    say("nothing is deleted" if keep is None else f"received CTs and results are deleted after {keep:g} days")
    say("for research use only; not a medical device")


def _show_status(folder: NodeFolder, as_json: bool) -> int:
    if not folder.is_node:
        raise SegmentationError("RECEIVE_FOLDER_UNUSABLE")
    status = read_status(folder)
    sys.stdout.write((json.dumps(status.to_json(), indent=1) if as_json else status_page(status)) + "\n")
    return SOME_FAILED if status.has_trouble else 0
