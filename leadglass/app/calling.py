"""Calling somebody over DICOM for a command: a device by its name, or TITLE@HOST:PORT."""

from __future__ import annotations

import ssl
from pathlib import Path

from leadglass.app.archive import Archive
from leadglass.app.certificates import Certificates
from leadglass.app.peer import Peer
from leadglass.core.device import Endpoint
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import Principal
from leadglass.net.tls import client_context

DEFAULT_TITLE = "LEADGLASS"


def parse_endpoint(text: str, *, tls: bool = False) -> Endpoint | None:
    """TITLE@HOST:PORT ([HOST] for IPv6); None if `text` is not written so."""
    title, at, address = text.partition("@")
    host, colon, port = address.rpartition(":")
    if not (at and colon and title and host and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        return None
    return Endpoint(host.strip("[]"), int(port), title, tls)


def peer_at(endpoint: Endpoint, own_title: str, authority: Path | None, identity: Path | None) -> Peer:
    """A peer that is no device. `authority` (PEM) makes it TLS; `identity` (PEM with certificate and key) is ours."""
    if authority is None:
        if identity is not None:
            raise LeadglassError(
                ErrorCode.USAGE, "--tls-identity goes with --tls-ca: over plain DICOM it says nothing."
            )
        return Peer(endpoint, own_title)
    try:
        ours = identity.read_bytes() if identity is not None else b""
        context = client_context(authority.read_bytes(), certificate=ours, key=ours)
    except (OSError, ValueError, ssl.SSLError) as error:
        reason = getattr(error, "strerror", None) or "no certificate in PEM form"
        raise LeadglassError(ErrorCode.USAGE, f"A file named for TLS cannot be used: {reason}.") from error
    return Peer(endpoint, own_title, context)


def peer_named(archive: Archive, principal: Principal, name: str, own_title: str = "") -> Peer:
    """The device `name` of `archive`, with its certificates. NOT_FOUND, or USAGE if it has no address to call."""
    device = archive.devices.device(principal, name)
    if device.listens is None:
        comment = f"Device {name} has no address to call; it was enrolled without --listens."
        raise LeadglassError(ErrorCode.USAGE, comment)
    tls = None
    if device.listens.tls:
        tls = Certificates(archive.state, archive.keys.ca, archive.config).for_dialing(device)
    return Peer(device.listens, own_title or archive.config.ae_titles[0], tls)
