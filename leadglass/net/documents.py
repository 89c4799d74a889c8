"""Small documents of a configured server over HTTPS (core.ports.ProviderDocuments): bounded in time and in size.

No redirect is followed, no proxy is taken from the environment, and the address is the administrator's own: nothing
that a peer says comes into it.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote_plus, urlencode, urlsplit

from leadglass.core.errors import ErrorCode, LeadglassError

MAX_DOCUMENT: Final = 256 * 1024  # a key set of 64 keys with certificates stays below
SECONDS: Final = 5.0  # in all, from the first packet to the last


class HttpsDocuments:
    """Fetches documents. `context` verifies servers; the default trusts what the system trusts."""

    def __init__(self, context: ssl.SSLContext | None = None, seconds: float = SECONDS) -> None:
        self._context = context or ssl.create_default_context()
        self._seconds = seconds

    def document(self, url: str, bearer: str = "") -> bytes:
        """See core.ports.ProviderDocuments."""
        return self._asked("GET", url, {"Authorization": f"Bearer {bearer}"} if bearer else {})

    def exchanged(self, url: str, fields: Mapping[str, str], name: str = "", secret: str = "") -> bytes:
        """See core.ports.ProviderDocuments."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if secret:  # RFC 6749 2.3.1: each form-encoded first
            pair = f"{quote_plus(name)}:{quote_plus(secret)}".encode("ascii")
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode('ascii')}"
        return self._asked("POST", url, headers, urlencode(fields).encode("ascii"))

    def _asked(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> bytes:
        require_safe(url)
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        connection = (
            http.client.HTTPSConnection(host, port, timeout=self._seconds, context=self._context)
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=self._seconds)
        )
        # The timeout is per packet: a server that drips is cut off by this.
        late = threading.Event()
        cut = threading.Timer(self._seconds, _cut, (connection, late))
        cut.daemon = True
        cut.start()
        try:
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request(method, target, body, {"Accept": "application/json", "Connection": "close", **headers})
            content = _content(connection.getresponse())
            if late.is_set():  # what came before the cut looks like a document that ends there
                raise LeadglassError(ErrorCode.UNAVAILABLE, f"The server {host} took too long.")
            return content
        except (OSError, http.client.HTTPException, ValueError) as error:
            comment = f"The server {host} gave no document ({type(error).__name__})."
            raise LeadglassError(ErrorCode.UNAVAILABLE, comment) from None
        finally:
            cut.cancel()
            connection.close()


def require_safe(url: str) -> None:
    """USAGE unless `url` is https, or http to this machine's loopback, without user and fragment."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise LeadglassError(ErrorCode.USAGE, "This is not an address of a document.") from None
    if not parts.hostname or parts.username is not None or parts.fragment:
        raise LeadglassError(ErrorCode.USAGE, "This is not an address of a document.")
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname)):
        return
    raise LeadglassError(ErrorCode.USAGE, "Documents are fetched over https; http is for loopback only.")


def _is_loopback(host: str) -> bool:
    """By address: what a name resolves to is decided elsewhere."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _content(response: http.client.HTTPResponse) -> bytes:
    if response.status in (400, 401, 403):  # 400: a code that is not good (RFC 6749 5.2)
        raise LeadglassError(ErrorCode.NOT_AUTHORISED, "The server does not accept this token.")
    if response.status != 200:
        raise LeadglassError(ErrorCode.UNAVAILABLE, f"The server answered {response.status}.")
    content = response.read(MAX_DOCUMENT + 1)
    if len(content) > MAX_DOCUMENT or not response.isclosed():
        raise LeadglassError(ErrorCode.UNAVAILABLE, "The server's document is too large, or was cut short.")
    return content


def _cut(connection: http.client.HTTPConnection, late: threading.Event) -> None:
    late.set()
    if connection.sock is not None:
        with contextlib.suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)
