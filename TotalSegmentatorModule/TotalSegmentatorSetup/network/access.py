"""How the set-up talks to servers: the system's proxies and certificates, and what its failures mean.

Nothing here is called unless the user asked for an installation. Names and passwords of proxies never leave this file.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import http.client
import importlib.util
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from TotalSegmentatorWire import ENGINE_VERSION
from TotalSegmentatorWire.errors.problem import SegmentationError

PROXY_VARIABLE = "TOTALSEGMENTATOR_PROXY"
"""URL of a proxy, for programs: what stands in a command line every user of the computer can read."""
TIMEOUT_SECONDS = 30.0
"""Without a byte for so long a connection counts as broken."""
_STORAGE = {"github.com": ".githubusercontent.com"}
"""Where a host keeps what it offers: GitHub passes downloads of releases on to servers of its own in this domain."""
_NOT_YET_VALID, _EXPIRED = 9, 10  # OpenSSL, X509_V_ERR_CERT_NOT_YET_VALID and _HAS_EXPIRED
_NO_ROUTE = frozenset(
    (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ECONNREFUSED, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.ETIMEDOUT)
)


@dataclass(frozen=True)
class NetworkSettings:
    """What the user set; without it the system's proxies and certificates count."""

    proxy: str | None = None
    """URL of a proxy, which may hold a name and a password."""
    certificate_file: Path | None = None
    """Certificates (PEM) to trust beside the system's, as of a hospital that inspects connections."""


def open_url(
    url: str,
    network: NetworkSettings,
    headers: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT_SECONDS,
    stays_there: bool = False,
) -> Any:
    """The response to a GET. Raises what urllib raises: see ``problem_of``.

    ``stays_there``: a redirect to another host is not followed. Raises SegmentationError("DOWNLOAD_LEFT_HOST") then.
    """
    request = urllib.request.Request(url, headers={"User-Agent": f"TotalSegmentatorModule/{ENGINE_VERSION}"})
    for name, value in (headers or {}).items():
        request.add_header(name, value)
    host = urlsplit(url).hostname if stays_there else None
    return _opener(network, host).open(request, timeout=timeout)


def _opener(network: NetworkSettings, host: str | None) -> urllib.request.OpenerDirector:
    proxies = None if network.proxy is None else {"http": network.proxy, "https": network.proxy}
    return urllib.request.build_opener(
        urllib.request.ProxyHandler(proxies),
        urllib.request.HTTPSHandler(context=certificates(network)),
        _SafeRedirects(host),
    )


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from an encrypted connection to a plain one, nor away from ``host`` if there is
    one."""

    def __init__(self, host: str | None) -> None:
        self._host = host

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        other = urlsplit(newurl).hostname or ""
        storage = _STORAGE.get(self._host)
        if self._host not in (None, other) and not (storage and other.endswith(storage)):
            file = urlsplit(req.full_url).path.rpartition("/")[2]
            raise SegmentationError("DOWNLOAD_LEFT_HOST", host=self._host, other=other, file=file)
        if req.type == "https" and urlsplit(newurl).scheme != "https":
            raise urllib.error.HTTPError(newurl, 403, "redirected to an unencrypted connection", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def certificates(network: NetworkSettings) -> ssl.SSLContext:
    """The system's store, pip's collection where the system has none, and the user's file.

    Raises SegmentationError("CERTIFICATE_NOT_TRUSTED") for a file that holds no certificate.
    """
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"]:
        collection = _certificates_of_pip()
        if collection is not None:
            context.load_verify_locations(collection)
    if network.certificate_file is not None:
        try:
            context.load_verify_locations(network.certificate_file)
        except (OSError, ssl.SSLError) as error:
            raise SegmentationError("CERTIFICATE_NOT_TRUSTED", host="of the chosen certificate file") from error
    return context


def _certificates_of_pip() -> str | None:
    """pip brings Mozilla's collection along; a Python without a system store has pip all the same."""
    with contextlib.suppress(ImportError, ValueError):
        found = importlib.util.find_spec("pip._vendor.certifi")
        if found is not None and found.origin is not None:
            file = Path(found.origin).with_name("cacert.pem")
            return str(file) if file.is_file() else None
    return None


def process_environment(network: NetworkSettings) -> dict[str, str]:
    """Variables that give pip's process the same settings; empty where the user set nothing."""
    variables = {}
    if network.proxy is not None:
        variables |= dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), network.proxy)
    if network.certificate_file is not None:
        # pip takes one file in place of its own collection: the user's own, as it is behind such a proxy alone
        variables["PIP_CERT"] = str(network.certificate_file)
    return variables


# -- what failures mean ------------------------------------------------------------------------------------------------


def problem_of(error: BaseException, host: str, file: str) -> SegmentationError:
    """The failure of a request to ``host`` for ``file`` in the set-up's terms."""
    if isinstance(error, SegmentationError):
        return error
    if isinstance(error, urllib.error.HTTPError):
        return _problem_of_status(error.code, host, file)
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        return _problem_of_certificate(reason, host)
    if isinstance(reason, ssl.SSLError):
        return SegmentationError("DOWNLOAD_CUT", host=host)
    if isinstance(reason, socket.gaierror):
        return SegmentationError("NETWORK_NAME_NOT_FOUND", host=host)
    if isinstance(reason, OSError) and "407" in str(reason):  # a proxy's refusal of a tunnel has no type of its own
        return SegmentationError("PROXY_PASSWORD_NEEDED", host=_proxy_host(host))
    if isinstance(reason, OSError) and reason.errno in _NO_ROUTE:
        return SegmentationError("NETWORK_NO_ROUTE", host=host)
    if isinstance(reason, (TimeoutError, http.client.HTTPException, ConnectionError)):
        return SegmentationError("DOWNLOAD_CUT", host=host)
    return SegmentationError("NETWORK_NO_ROUTE", host=host)


def _problem_of_status(status: int, host: str, file: str) -> SegmentationError:
    if status == 407:
        return SegmentationError("PROXY_PASSWORD_NEEDED", host=_proxy_host(host))
    if status in (404, 410):
        return SegmentationError("DOWNLOAD_NOT_FOUND", host=host, file=file)
    if status in (401, 403, 451):
        return SegmentationError("DOWNLOAD_REFUSED", host=host, file=file)
    return SegmentationError("DOWNLOAD_SERVER_FAILED", host=host, status=status)


def _problem_of_certificate(error: ssl.SSLCertVerificationError, host: str) -> SegmentationError:
    """A certificate out of its time means a wrong clock more often than a careless publisher."""
    if error.verify_code in (_NOT_YET_VALID, _EXPIRED):
        return SegmentationError("CLOCK_WRONG", host=host, date=datetime.date.today().isoformat())
    return SegmentationError("CERTIFICATE_NOT_TRUSTED", host=host)


def _proxy_host(host: str) -> str:
    """Name of the system's proxy, never its user or password; the server's where none is known."""
    for url in urllib.request.getproxies().values():
        with contextlib.suppress(ValueError):
            if urlsplit(url).hostname:
                return str(urlsplit(url).hostname)
    return host
