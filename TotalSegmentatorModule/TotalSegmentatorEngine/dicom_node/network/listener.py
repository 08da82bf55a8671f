"""The DICOM service: Verification, and Storage of CT images; every object is on the disk before its sender hears of it.

Objects of other kinds come along when a router sends a whole study. They are answered with success and not kept
(``pass_over``), since many routers take the first refusal for the failure of all; or their kinds are not accepted
(``refuse``). This node is no archive: it has no storage commitment, by which a sender could tell that it may delete.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.dsutils import encode_file_meta
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import Verification
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.dicom_node.incoming.incoming_folder import IncomingFolder, NoRoomError, Transfer
from TotalSegmentatorEngine.dicom_node.incoming.received_object import CT_CLASSES, NotUsableError
from TotalSegmentatorEngine.dicom_node.network.guarded_server import GuardedServer
from TotalSegmentatorEngine.dicom_node.network.tls_contexts import server_context
from TotalSegmentatorEngine.dicom_node.settings.node_settings import PASS_OVER, Limits, Listening

SUCCESS, OUT_OF_RESOURCES, NOT_UNDERSTOOD = 0x0000, 0xA700, 0xC000
"""Statuses of C-STORE, PS3.4 table B.2-1."""
_TITLE_NOT_RECOGNISED = (1, 1, 3)
"""A-ASSOCIATE-RJ: permanent, by the service user, calling AE title; PS3.8 table 9-21."""

TRANSFER_SYNTAXES = (
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.91",
)
"""Those that our reader decodes. Not the deflated one: a few of its bytes can unpack to gigabytes."""

_SECONDS_TO_ASK = 10.0
"""From the connection to the request for an association."""
_SECONDS_TO_END = 5.0
"""For open associations when the node stops."""

_log = logging.getLogger(__name__)


class _SharedContext(PresentationContext):
    """pynetdicom copies all supported contexts for each connection and only reads the copies: 20 ms of processor time
    that a flood of connections would use up."""

    def __deepcopy__(self, memo: dict[int, Any]) -> _SharedContext:
        return self


class Listener:
    """From ``start`` to ``stop``. Counts what came, for the log and the status."""

    def __init__(self, settings: Listening, limits: Limits, incoming: IncomingFolder) -> None:
        self._settings = settings
        self._limits = limits
        self._incoming = incoming
        self._lock = threading.Lock()
        self._transfers: dict[Any, Transfer] = {}
        self._server: GuardedServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """On which it listens; another than that of the settings if these say 0."""
        return self._server.server_address[1]

    def start(self) -> None:
        """Raises SegmentationError: RECEIVE_PORT_UNAVAILABLE, RECEIVE_TLS_UNUSABLE."""
        settings, limits = self._settings, self._limits
        logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)  # its messages quote what peers send
        logging.getLogger("pynetdicom").propagate = False
        tls = None if settings.tls is None else server_context(settings.tls)
        entity = self._entity()
        try:
            self._server = entity.make_server(
                (settings.address, settings.port),
                contexts=_contexts(settings.other_objects == PASS_OVER),
                ssl_context=tls,
                evt_handlers=[
                    (evt.EVT_REQUESTED, self._check_sender),
                    (evt.EVT_C_ECHO, lambda event: SUCCESS),
                    (evt.EVT_C_STORE, self._store),
                    (evt.EVT_RELEASED, lambda event: self._end(event.assoc, True)),
                    (evt.EVT_ABORTED, lambda event: self._end(event.assoc, False)),
                    (evt.EVT_CONN_CLOSE, _wake),
                ],
                server_class=GuardedServer,
                limits=limits,
                is_sender=lambda address: any(sender.has_address(address) for sender in settings.senders),
            )
        except (OSError, OverflowError) as error:
            raise SegmentationError("RECEIVE_PORT_UNAVAILABLE", port=settings.port) from error
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True)
        self._thread.start()

    def _entity(self) -> AE:
        settings, limits = self._settings, self._limits
        entity = AE(settings.ae_title)
        entity.maximum_associations = limits.associations
        entity.maximum_pdu_size = limits.pdu_bytes
        entity.dimse_timeout = entity.network_timeout = limits.idle_seconds
        entity.acse_timeout = min(limits.idle_seconds, _SECONDS_TO_ASK)
        entity.require_called_aet = True
        entity.require_calling_aet = sorted({sender.ae_title for sender in settings.senders})
        return entity

    def end_lost_transfers(self) -> None:
        """Ends the transfers whose association is gone without a word; to be called now and then."""
        with self._lock:
            lost = [association for association in self._transfers if not association.is_alive()]
        for association in lost:
            self._end(association, False)

    def stop(self) -> None:
        """No new association; open ones have a few seconds to end, then they are aborted and count as cut off."""
        if self._server is None:
            return
        self._server.shutdown()
        self._thread.join()
        ends = time.monotonic() + _SECONDS_TO_END
        while self._server.active_associations and time.monotonic() < ends:
            time.sleep(0.05)
        for association in self._server.active_associations:
            association.abort()
        with self._lock:
            left = list(self._transfers)
        for association in left:
            self._end(association, False)

    # -- called in the threads of associations -------------------------------------------------------------------------

    def _check_sender(self, event: Any) -> None:
        """The title must be allowed at this very address; both alone are looked at elsewhere."""
        association = event.assoc
        address = association.requestor.address
        title = association.requestor.primitive.calling_ae_title
        senders = self._settings.senders
        if not any(sender.ae_title == title and sender.has_address(address) for sender in senders):
            _log.warning("an association was refused: its AE title is not allowed from this address")
            association.acse.send_reject(*_TITLE_NOT_RECOGNISED)
            association.kill()

    def _store(self, event: Any) -> int:
        request = event.request
        if request.AffectedSOPClassUID not in CT_CLASSES:
            return SUCCESS
        transfer = self._transfer(event.assoc)
        try:
            head = b"\0" * 128 + b"DICM" + encode_file_meta(event.file_meta)
            with request.DataSet.getbuffer() as body:
                transfer.receive((head, body), len(head) + len(body), str(request.AffectedSOPInstanceUID))
        except NoRoomError as error:
            _log.warning("an object was refused: %s", error)
            return OUT_OF_RESOURCES
        except NotUsableError as error:
            transfer.fail()
            _log.warning("an object was refused: %s", error)
            return NOT_UNDERSTOOD
        except Exception as error:  # pynetdicom answers that it could not be processed
            transfer.fail()
            _log.error("an object was refused: %s", type(error).__name__)
            raise
        return SUCCESS

    def _transfer(self, association: Any) -> Transfer:
        with self._lock:
            if association not in self._transfers:
                self._transfers[association] = self._incoming.transfer()
            return self._transfers[association]

    def _end(self, association: Any, is_normal: bool) -> None:
        with self._lock:
            transfer = self._transfers.pop(association, None)
        if transfer is not None:
            transfer.end(is_normal)


def _wake(event: Any) -> None:
    """A connection that closes before it asked for an association leaves its thread waiting for the request; this takes
    the place of it. Without, a thousand such connections would keep everybody else out for as long as that waits."""
    if not event.assoc.is_established:
        event.assoc.dul.to_user_queue.put(None)


def _contexts(passes_over: bool) -> list[_SharedContext]:
    """What is accepted of which kind of object, and how it may be encoded."""
    others = [context.abstract_syntax for context in AllStoragePresentationContexts] if passes_over else []
    found = []
    for uid in dict.fromkeys((Verification, *CT_CLASSES, *others)):
        context = _SharedContext()
        context.abstract_syntax = uid
        context.transfer_syntax = list(TRANSFER_SYNTAXES)
        found.append(context)
    return found
