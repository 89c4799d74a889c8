"""Who may speak HTTP here at all: plain HTTP is for this machine, and a proxy in front must be named.

A tunnel or a proxy makes the whole internet look like 127.0.0.1. It shows by the Host it asks for (the outer name),
by the headers it adds, or by HTTP/1.0 (nginx, as long as nothing is said, with our own address as Host and no such
header); all are refused, unless the listener was set up for a trusted proxy.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

FORWARDED = frozenset(
    {
        b"forwarded",
        b"via",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
        b"x-forwarded-port",
        b"x-forwarded-server",
        b"x-forwarded-prefix",
        b"x-real-ip",
        b"x-original-forwarded-for",
        b"cf-connecting-ip",
        b"true-client-ip",
    }
)
_MAX_ADDRESS = 64
_OLD = frozenset({"1", "1.0"})  # as servers write HTTP/1.0 (Granian; ASGI)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_PORT = re.compile(r":[0-9]*$")  # an IPv6 address without one ends with a bracket


@dataclass(frozen=True, slots=True)
class ListenerRules:
    """What a listener expects of a request. `names` are the host names and addresses it answers to, lower case."""

    tls: bool
    names: frozenset[str]
    trusted_proxy: bool = False
    origins: frozenset[str] = frozenset()  # whose pages may call, as a browser writes an origin
    serves: str = "archive"  # which desk (web.desk) stands there


def refused(rules: ListenerRules, headers: Iterable[tuple[bytes, bytes]], version: str = "1.1") -> str | None:
    """Why a request of this HTTP `version` is not taken: one sentence for its sender, or None if it is."""
    hosts: list[bytes] = []
    if not rules.tls and not rules.trusted_proxy and version in _OLD:
        return "Without TLS this listener takes no HTTP/1.0, by which a proxy shows; use HTTP/1.1."
    for name, value in headers:
        if name in FORWARDED and not rules.trusted_proxy:
            return "This listener takes no request through a proxy; name the proxy as trusted_proxy to allow it."
        if name == b"host":
            hosts.append(value)
    if len(hosts) > 1:
        return "The request names two hosts."
    host = _name_of(hosts[0].decode("latin-1")) if hosts else None
    if host is None:
        return "The request names no host."
    if host in rules.names or (not rules.tls and not rules.trusted_proxy and _loopback(host)):
        return None
    return "The request asks for a host that is not served here."


def address_of(rules: ListenerRules, client: str, headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The address of who asks: the transport's, or behind a trusted proxy the last one that the proxy added."""
    if not rules.trusted_proxy:
        return client
    added = [value for name, value in headers if name == b"x-forwarded-for"]
    last = added[-1].rsplit(b",", 1)[-1].strip()[:_MAX_ADDRESS].decode("latin-1") if added else ""
    try:
        return str(ipaddress.ip_address(last))
    except ValueError:
        return client


def origin_of(rules: ListenerRules, headers: Iterable[tuple[bytes, bytes]], port: int | None = None) -> str:
    """Scheme and host as the client sees them; behind a trusted proxy the scheme is what the proxy says.

    Some clients leave the port out of Host: where nobody stands between, it is `port`, that of the listener.
    """
    named = {name: value.decode("latin-1") for name, value in headers}
    forwarded = rules.trusted_proxy and named.get(b"x-forwarded-proto", "").strip().lower() == "https"
    scheme, host = "https" if rules.tls or forwarded else "http", named.get(b"host", "")
    if not rules.trusted_proxy and port not in (None, _DEFAULT_PORTS[scheme]) and not _PORT.search(host):
        host += f":{port}"
    return f"{scheme}://{host}"


def _name_of(host: str) -> str | None:
    """The host without its port, lower case; None if it is no host."""
    host = host.strip().lower()
    if host.startswith("["):
        name, bracket, port = host[1:].partition("]")
        if not bracket or (port and not (port.startswith(":") and port[1:].isdigit())):
            return None
        return name
    name, colon, port = host.partition(":")
    if not name or (colon and not port.isdigit()):
        return None
    return name


def _loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
