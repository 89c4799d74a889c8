"""The web listeners of the configuration: `[[web]]`.

Plain HTTP is for loopback only. A proxy in front is trusted only where it is named: on a listener of its own, reached
over a Unix socket or with a client certificate, because a tunnel makes the whole internet look like 127.0.0.1.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leadglass.app.toml_tables import Tables
from leadglass.core.limits import MIB
from leadglass.services.quotas import QuotaLimits

MIN_MIB_PER_MINUTE = 64  # less would make each piece of an answer wait until it counts as stuck
# As a browser writes it: lower case, no path; over plain HTTP only pages of this machine.
_ORIGIN = re.compile(r"https://[a-z0-9.-]{1,253}(:\d{1,5})?|http://(localhost|127\.0\.0\.1)(:\d{1,5})?")
SERVES = ("archive", "viewer", "shares")
_KEYS = {
    "host",
    "port",
    "tls",
    "certificate",
    "key",
    "names",
    "unix",
    "client_ca",
    "trusted_proxy",
    "origins",
    "serves",
    "public",
}
_TEXTS = ("host", "certificate", "key", "unix", "client_ca", "public")


@dataclass(frozen=True, slots=True)
class WebListener:
    """Where the web door listens: an address, or a Unix socket."""

    host: str = ""
    port: int = 0
    tls: bool = True
    certificate: str = ""  # PEM file; empty: from the archive's own CA
    key: str = ""
    names: tuple[str, ...] = ()  # host names it answers to, beside its own addresses
    unix: str = ""
    client_ca: str = ""  # PEM file: only clients with a certificate of this authority get in
    trusted_proxy: bool = False
    origins: tuple[str, ...] = ()  # origins whose pages may call (CORS); none by default
    public: str = ""  # its origin as browsers know it, where that is not its name and port: behind a proxy
    serves: str = "archive"  # or "viewer" or "shares": an origin of its own that serves nothing else

    @property
    def label(self) -> str:
        """How messages name it."""
        if self.unix:
            return self.unix
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"


def web_listener(tables: Tables, raw: Mapping[str, Any]) -> WebListener:
    """One `[[web]]` table. LeadglassError USAGE for anything unknown, out of range or left half done."""
    tables.only(raw, _KEYS, "web")
    texts = {name: tables.text(raw, name, "web", "") for name in _TEXTS}
    listener = WebListener(
        **texts,
        port=_port(tables, raw),
        tls=tables.truth(raw, "tls", "web", default=not texts["unix"]),
        names=tuple(name.lower() for name in tables.texts(raw, "names", "web", [])),
        trusted_proxy=tables.truth(raw, "trusted_proxy", "web", default=False),
        origins=tuple(tables.texts(raw, "origins", "web", [])),
        serves=tables.text(raw, "serves", "web", "archive"),
    )
    _check(tables, listener)
    return listener


def quota_limits(tables: Tables, raw: Mapping[str, Any]) -> QuotaLimits:
    """`[web_limits]`: what one token, or one subject of the provider, may have, whichever web process answers."""
    usual = QuotaLimits()
    known = {
        "requests_per_second": (usual.requests, 1),
        "mib_per_minute": (usual.bytes_minute // MIB, MIN_MIB_PER_MINUTE),
        "exports": (usual.exports, 1),
    }
    tables.only(raw, set(known), "web_limits")
    given = {key: raw.get(key, default) for key, (default, _) in known.items()}
    for key, (_, least) in known.items():
        value = given[key]
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise tables.wrong(f"web_limits.{key}", f"must be a whole number, at least {least}")
    return QuotaLimits(given["requests_per_second"], given["mib_per_minute"] * MIB, given["exports"])


def _port(tables: Tables, raw: Mapping[str, Any]) -> int:
    port = raw.get("port", 0)
    if not isinstance(port, int) or isinstance(port, bool) or not 0 <= port <= 65535:
        raise tables.wrong("web.port", "must be a port number")
    return port


def _check(tables: Tables, item: WebListener) -> None:
    _check_serving(tables, item)
    if item.unix:
        if item.host or item.port or item.tls or not Path(item.unix).is_absolute():
            raise tables.wrong("web.unix", "must be an absolute path and stand without host, port and tls")
    else:
        try:
            ipaddress.ip_address(item.host)
        except ValueError:
            raise tables.wrong("web.host", "must be an IP address of this machine, not a name") from None
        if not item.port:
            raise tables.wrong("web.port", "is missing")
        if item.names and not item.tls and ipaddress.ip_address(item.host).is_loopback:
            # A tunnel asks for its outer name: to name it here would make the whole internet look like this machine.
            raise tables.wrong("web.names", "cannot stand on a listener of loopback without TLS; a proxy uses unix")
    if bool(item.certificate) is not bool(item.key):
        raise tables.wrong("web", "needs certificate and key together, or neither (then the own CA issues)")
    if item.certificate and not item.tls:
        raise tables.wrong("web.certificate", "means something with TLS only")
    if item.client_ca and not item.tls:
        raise tables.wrong("web.client_ca", "means something with TLS only")
    if item.trusted_proxy and not (item.unix or item.client_ca):
        raise tables.wrong("web.trusted_proxy", "needs a Unix socket or client_ca, so that nobody else can pass for it")


def _check_serving(tables: Tables, item: WebListener) -> None:
    if item.serves not in SERVES:
        raise tables.wrong("web.serves", f"must be one of {', '.join(SERVES)}")
    if item.origins and item.serves != "archive":
        raise tables.wrong("web.origins", "means something where the archive is served only")
    if item.public and not _ORIGIN.fullmatch(item.public):
        raise tables.wrong("web.public", "must be an origin, as https://viewer.example.org")
    if item.unix and item.serves != "archive" and not item.public:
        raise tables.wrong("web.public", "is missing: at which address a browser finds what a proxy passes on here")
    for origin in item.origins:
        if not _ORIGIN.fullmatch(origin):
            what = (
                f'has "{origin}": an origin is written as https://viewer.example.org, and there is none for everybody'
            )
            raise tables.wrong("web.origins", what)
