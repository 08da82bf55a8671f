"""Sends objects to a DICOMweb destination by STOW-RS (PS3.18 10.5), an object a request."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.dicom_node.settings.node_settings import Destination
from TotalSegmentatorEngine.export.dicom.object import quiet

_SECONDS = (10.0, 120.0)
"""To connect, and between two bytes of the answer."""
_WHOLE = 1 << 31
"""Bytes below which a request is not sent in chunks, which not every server takes."""


def send_by_stow(destination: Destination, paths: Sequence[Path], confirmed: Callable[[Path], None]) -> None:
    """``confirmed`` is called after each object that the destination has stored.

    Raises SegmentationError: SEND_UNREACHABLE, SEND_OBJECT_REFUSED, RECEIVE_TLS_UNUSABLE.
    """
    import pydicom
    import requests
    from dicomweb_client import DICOMwebClient

    logging.getLogger("dicomweb_client").setLevel(logging.CRITICAL)  # its messages hold UIDs
    with _session(destination) as session, quiet():
        headers = (
            {} if destination.token_file is None else {"Authorization": f"Bearer {_secret(destination.token_file)}"}
        )
        client = DICOMwebClient(destination.url, session=session, headers=headers, chunk_size=_WHOLE, timeout=_SECONDS)
        client.set_http_retry_params(retry=False)  # the pauses between attempts are ours
        for path in paths:
            try:
                answer = client.store_instances([pydicom.dcmread(path)])
            except requests.HTTPError as error:
                raise SegmentationError("SEND_OBJECT_REFUSED", status=str(error.response.status_code)) from error
            except (requests.RequestException, OSError) as error:
                raise SegmentationError("SEND_UNREACHABLE") from error
            _check(answer)
            confirmed(path)


def _check(answer: Any) -> None:
    """Raises SegmentationError where the answer lists the object among those that were not stored."""
    for item in answer.get("FailedSOPSequence") or ():
        raise SegmentationError("SEND_OBJECT_REFUSED", status=f"{int(item.get('FailureReason') or 0):04X}")


def _session(destination: Destination) -> Any:
    """Talks to the destination alone: no proxy or password from the environment, no redirection to elsewhere."""
    import requests

    class Session(requests.Session):
        def request(self, method: str, url: str, **settings: Any) -> requests.Response:
            answer = super().request(method, url, **{**settings, "allow_redirects": False})
            if answer.is_redirect:
                raise requests.HTTPError("a redirection", response=answer)
            return answer

    session = Session()
    session.trust_env = False
    if destination.user and destination.password_file is not None:
        session.auth = (destination.user, _secret(destination.password_file))
    if destination.authorities is not None:
        session.verify = str(destination.authorities)
    if destination.tls is not None:
        session.verify = str(destination.tls.authorities)
        session.cert = (str(destination.tls.certificate), str(destination.tls.key))
    return session


def _secret(path: Path) -> str:
    """The first line of a file. Raises SegmentationError where there is none."""
    try:
        return path.read_text(encoding="utf-8").strip().splitlines()[0]
    except (OSError, ValueError, IndexError) as error:
        raise SegmentationError(
            "RECEIVE_SETTINGS_INVALID", detail="the file of a password or token cannot be read"
        ) from error
