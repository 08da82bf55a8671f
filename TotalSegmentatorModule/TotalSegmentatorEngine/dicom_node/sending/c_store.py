"""Sends objects to a DICOM destination by C-STORE, in one association."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.dicom_node.network.tls_contexts import client_context
from TotalSegmentatorEngine.dicom_node.settings.node_settings import Destination
from TotalSegmentatorEngine.export.dicom.object import quiet

_SECONDS_TO_CONNECT = 10.0
_SECONDS_TO_ANSWER = 120.0
"""A destination may check and index an object before it answers."""
_IMPLICIT, _EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
_WARNINGS = range(0xB000, 0xC000)
"""Stored, with a remark; PS3.4 table B.2-1."""


def send_by_c_store(
    destination: Destination, ae_title: str, paths: Sequence[Path], confirmed: Callable[[Path], None]
) -> None:
    """``ae_title``: ours. ``confirmed`` is called after each object that the destination has stored.

    Raises SegmentationError: SEND_UNREACHABLE, SEND_ASSOCIATION_REJECTED, SEND_KIND_NOT_ACCEPTED, SEND_OBJECT_REFUSED,
    RECEIVE_TLS_UNUSABLE.
    """
    import pydicom

    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)  # its messages quote what is sent
    with quiet():
        datasets = {path: pydicom.dcmread(path) for path in paths}
        with _association(destination, ae_title, sorted({one.SOPClassUID for one in datasets.values()})) as association:
            accepted = {
                (context.abstract_syntax, str(context.transfer_syntax[0])) for context in association.accepted_contexts
            }
            for path, dataset in datasets.items():
                _store(association, dataset, accepted)
                confirmed(path)


def _store(association: Any, dataset: Any, accepted: set[tuple[str, str]]) -> None:
    stated = str(dataset.file_meta.TransferSyntaxUID)
    possible = [syntax for syntax in (stated, _EXPLICIT, _IMPLICIT) if (dataset.SOPClassUID, syntax) in accepted]
    if not possible:
        raise SegmentationError("SEND_KIND_NOT_ACCEPTED", modality=str(dataset.Modality))
    dataset.file_meta.TransferSyntaxUID = possible[0]
    if possible[0] != stated:  # both are uncompressed and little endian
        dataset.walk(lambda item, element: None)  # decoded from the one before it is encoded in the other
    try:
        answer = association.send_c_store(dataset)
    except RuntimeError as error:  # the association has ended
        raise SegmentationError("SEND_UNREACHABLE") from error
    status = answer.get("Status")
    if status is None:
        raise SegmentationError("SEND_UNREACHABLE")
    if status != 0 and status not in _WARNINGS:
        raise SegmentationError("SEND_OBJECT_REFUSED", status=f"{status:04X}")


@contextmanager
def _association(destination: Destination, ae_title: str, classes: Sequence[str]) -> Iterator[Any]:
    from pynetdicom import AE

    entity = AE(ae_title)
    entity.connection_timeout = entity.acse_timeout = _SECONDS_TO_CONNECT
    entity.dimse_timeout = entity.network_timeout = _SECONDS_TO_ANSWER
    for uid in classes:
        for syntax in (_EXPLICIT, _IMPLICIT):
            entity.add_requested_context(uid, syntax)
    tls = None if destination.tls is None else (client_context(destination.tls), destination.address)
    try:
        association = entity.associate(
            destination.address, destination.port, ae_title=destination.ae_title, tls_args=tls
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise SegmentationError("SEND_UNREACHABLE") from error
    if association.is_rejected:
        raise SegmentationError("SEND_ASSOCIATION_REJECTED")
    if not association.is_established:
        raise SegmentationError("SEND_ASSOCIATION_REJECTED" if association.rejected_contexts else "SEND_UNREACHABLE")
    try:
        yield association
        association.release()
    finally:
        if association.is_established:
            association.abort()
