"""Certificates as the running archive uses them: its own CA, its server certificate, and whom it trusts."""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path

from leadglass.access.authority import Authority
from leadglass.access.certificates import matches, trust_anchors
from leadglass.app.config import Config, ListenerConfig
from leadglass.app.facts import own_addresses
from leadglass.core.device import Device
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.ports import State
from leadglass.net.tls import ClientCertificates, RenewableContext, client_context, server_context

AUTHORITY = "authority"  # the setting that holds the sealed CA


def authority_of(state: State, ca_key: bytes) -> Authority:
    """The archive's own CA, made when it is first needed."""
    sealed = state.setting(AUTHORITY)
    if sealed is not None:
        return Authority.open(sealed, ca_key)
    made = Authority.create("archive", dt.datetime.now(dt.UTC)).seal(ca_key)
    return Authority.open(state.settle(AUTHORITY, made), ca_key)


class Certificates:
    """TLS contexts for listeners and dialers. The server certificate is issued anew at each start and reload."""

    def __init__(self, state: State, ca_key: bytes, config: Config) -> None:
        self._state = state
        self._ca_key = ca_key
        self._config = config
        self._contexts: list[RenewableContext] = []
        self._epoch = state.rights_epoch()

    def matches(self, certificate: bytes, device: Device) -> bool:
        """Whether a presented certificate (DER) is one of the device's, now."""
        return matches(certificate, device, dt.datetime.now(dt.UTC))

    def for_listening(self, item: ListenerConfig) -> RenewableContext:
        """The context source of a TLS listener; it follows the devices through `follow`."""
        source = RenewableContext(lambda: self._server_context(item))
        self._contexts.append(source)
        return source

    def for_dialing(self, device: Device) -> ssl.SSLContext | None:
        """The context to call `device` with: our own certificate, and what its enrolment trusts."""
        own = authority_of(self._state, self._ca_key)
        issued = own.issue_device(self._config.ae_titles[0], dt.datetime.now(dt.UTC))
        return client_context(trust_anchors([device], own.pem), certificate=issued.chain_pem, key=issued.key_pem)

    def follow(self) -> None:
        """Make the listeners' contexts again if devices changed: whom to trust is part of them."""
        epoch = self._state.rights_epoch()
        if epoch != self._epoch:
            self._epoch = epoch
            for source in self._contexts:
                source.reload()

    def _server_context(self, item: ListenerConfig) -> ssl.SSLContext:
        own = authority_of(self._state, self._ca_key)
        wanted = ClientCertificates.REQUIRED if item.client_certificates == "require" else ClientCertificates.OPTIONAL
        trusted = trust_anchors(self._state.devices(), own.pem)
        if item.certificate:
            chain, key = _given(item)
        else:
            names = sorted({"localhost", item.host, *(address for _, address in own_addresses())} - {"0.0.0.0", "::"})  # noqa: S104  # left out, not listened on
            issued = own.issue_server(names, dt.datetime.now(dt.UTC))
            chain, key = issued.chain_pem, issued.key_pem
        return server_context(chain, key, client_authorities=trusted, client_certificates=wanted)


def _given(item: ListenerConfig) -> tuple[bytes, bytes]:
    try:
        return Path(item.certificate).read_bytes(), Path(item.key).read_bytes()
    except OSError as error:
        comment = f"The certificate of the listener on port {item.port} cannot be read: {error.strerror}."
        raise LeadglassError(ErrorCode.USAGE, comment) from error
