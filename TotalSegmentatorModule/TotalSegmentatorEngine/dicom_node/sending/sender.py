"""Sends what is due, in a thread for each destination: a slow one holds up neither the segmentation nor the others."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from TotalSegmentatorWire.command.command_run import sentence_without_text

from TotalSegmentatorEngine.dicom_node.sending.c_store import send_by_c_store
from TotalSegmentatorEngine.dicom_node.sending.delivery import GIVEN_UP, SENT, Delivery
from TotalSegmentatorEngine.dicom_node.sending.outgoing_folder import OutgoingFolder
from TotalSegmentatorEngine.dicom_node.sending.stow import send_by_stow
from TotalSegmentatorEngine.dicom_node.settings.node_settings import DICOM, Destination, NodeSettings
from TotalSegmentatorEngine.job.error_boundary import problem_of

_SECONDS_BETWEEN_LOOKS = 0.5
_SECONDS_AFTER_TROUBLE = 60.0

_log = logging.getLogger(__name__)


class Sender:
    """``say`` tells the operator, in a line without patient data."""

    def __init__(self, settings: NodeSettings, outgoing: OutgoingFolder, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._outgoing = outgoing
        self._say = say
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(one,), name=f"to {one.name}", daemon=True)
            for one in settings.destinations
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float) -> None:
        """Objects that are on their way have so long to arrive; what does not is sent again at the next start."""
        self._stop.set()
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _run(self, destination: Destination) -> None:
        while not self._stop.wait(_SECONDS_BETWEEN_LOOKS):
            try:
                for folder, delivery in self._outgoing.due(destination.name):
                    if self._stop.is_set():
                        return
                    self._send(folder, delivery, destination)
            except Exception:  # noqa: BLE001 - whatever it was, the other deliveries must go on
                _log.exception("the deliveries cannot be read or written")
                self._stop.wait(_SECONDS_AFTER_TROUBLE)

    def _send(self, folder: Path, delivery: Delivery, destination: Destination) -> None:
        case_id = folder.name[:12]

        def confirmed(path: Path) -> None:
            delivery.confirm(path.name)
            delivery.write(folder)

        try:
            paths = [folder / name for name in delivery.left]
            if destination.kind == DICOM:
                send_by_c_store(destination, self._settings.listening.ae_title, paths, confirmed)
            else:
                send_by_stow(destination, paths, confirmed)
        except Exception as error:  # noqa: BLE001 - a destination never ends the node: a code for everything
            problem = problem_of(error, folder)
            delivery.fail(problem, time.time(), self._settings.times)
            delivery.write(folder)
            state = "given up" if delivery.state == GIVEN_UP else f"tried again in {delivery.due - time.time():.0f} s"
            reason = f"{problem.code}: {sentence_without_text(problem)}"
            self._say(f"{case_id}: not sent to {delivery.destination} ({reason}); {state}")
        if delivery.state == SENT:
            self._say(f"{case_id}: {len(delivery.files)} objects sent to {delivery.destination}")
