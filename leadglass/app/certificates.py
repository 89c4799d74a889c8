"""Certificates as the running archive uses them: its own CA, server certificate, and whom it trusts."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from leadglass.app.config import Config, ListenerConfig
from leadglass.core.device import Device
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.ports import State


class Certificates:
    """TLS contexts for listeners and dialers. Plain archives never need one."""

    def __init__(self, state: State, ca_key: bytes, config: Config) -> None:
        self._state = state
        self._ca_key = ca_key
        self._config = config

    def matches(self, certificate: bytes, device: Device) -> bool:
        """Whether a presented certificate (DER) is one of the device's."""
        return matches_device(certificate, device)

    def for_listening(self, item: ListenerConfig) -> Callable[[], ssl.SSLContext]:
        """The context source of a TLS listener."""
        raise LeadglassError(ErrorCode.UNAVAILABLE, "TLS listeners need the archive's certificates, which are missing.")

    def for_dialing(self, device: Device) -> ssl.SSLContext | None:
        """The context to call `device` with."""
        raise LeadglassError(ErrorCode.UNAVAILABLE, "TLS devices need the archive's certificates, which are missing.")
