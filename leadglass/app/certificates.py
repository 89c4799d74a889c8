"""Certificates as the running archive uses them: its own CA, its server certificate, and whom it trusts."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from leadglass.access.authority import Authority, Issued, renewal_due
from leadglass.access.certificates import end_of, matches, trust_anchors
from leadglass.app.config import Config, ListenerConfig
from leadglass.app.facts import own_addresses, own_names
from leadglass.app.metrics_config import MetricsListener
from leadglass.app.web_config import WebListener
from leadglass.core.device import CertificateBinding, Device
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.ports import State
from leadglass.net.tls import ClientCertificates, RenewableContext, client_context, server_context

AUTHORITY = "authority"  # the setting that holds the sealed CA
SERVER = "server-certificate"  # the setting that holds the sealed certificate and key of our own listeners
EXPIRED = "its certificate has expired"  # why a listener is closed

Now = Callable[[], dt.datetime]


def utc_now() -> dt.datetime:
    """The time by which certificates are judged."""
    return dt.datetime.now(dt.UTC)


def comment_of(error: Exception) -> str:
    """What may be told of a failure."""
    return error.comment if isinstance(error, LeadglassError) else f"{type(error).__name__}."


def authority_of(state: State, ca_key: bytes) -> Authority:
    """The archive's own CA, made when it is first needed."""
    sealed = state.setting(AUTHORITY)
    if sealed is not None:
        return Authority.open(sealed, ca_key)
    made = Authority.create("archive", utc_now()).seal(ca_key)
    return Authority.open(state.settle(AUTHORITY, made), ca_key)


def given_certificate(item: ListenerConfig | WebListener | MetricsListener) -> tuple[bytes, bytes]:
    """Certificate and key that the configuration names. LeadglassError(USAGE) if they cannot be read."""
    try:
        return Path(item.certificate).read_bytes(), Path(item.key).read_bytes()
    except OSError as error:
        comment = f"The certificate of {_called(item)} cannot be read: {error.strerror}."
        raise LeadglassError(ErrorCode.USAGE, comment) from error


@dataclass(frozen=True, slots=True)
class Shown:
    """What a web listener shows, and whom it asks for a certificate: PEM. `client_ca` is empty if it asks nobody."""

    chain: bytes
    key: bytes = field(repr=False)
    client_ca: bytes
    not_after: dt.datetime


class Presented:
    """What a TLS listener presents: the source of its contexts, and when the certificate in them ends."""

    def __init__(self, item: ListenerConfig, make: Callable[[], tuple[ssl.SSLContext, dt.datetime]]) -> None:
        self.item = item
        self._make = make
        self.stale = False  # it has to be made again
        self.renewal = ""  # why that failed; empty while what is presented is what should be
        self.source = RenewableContext(self._renewed)

    def renew(self) -> bool:
        """Make it again; what fails leaves what worked, and stays to be done. Whether it failed for a new reason."""
        try:
            self.source.reload()
        except (LeadglassError, OSError, ValueError) as error:
            before, self.renewal = self.renewal, comment_of(error)
            return self.renewal != before
        self.stale, self.renewal = False, ""
        return False

    def _renewed(self) -> ssl.SSLContext:
        context, self.not_after = self._make()
        return context


class Certificates:
    """TLS contexts for listeners and dialers.

    The archive's own certificate is kept (sealed) over restarts, and issued anew when its end comes near or its
    addresses change; a given one is read again when its file changes. Neither needs a restart.
    """

    def __init__(self, state: State, ca_key: bytes, config: Config, now: Now = utc_now) -> None:
        self._state = state
        self._ca_key = ca_key
        self._config = config
        self._now = now
        self._presented: list[Presented] = []
        self._seen: object = None

    def matches(self, certificate: bytes, device: Device) -> bool:
        """Whether a presented certificate (DER) is one of the device's, now."""
        return matches(certificate, device, self._now())

    def for_listening(self, item: ListenerConfig) -> Presented:
        """What a TLS listener presents from now on; it follows devices, dates and files through `follow`."""
        made = Presented(item, lambda: self._context(item))
        self._presented.append(made)
        self._seen = None  # another process may have decided otherwise meanwhile: `follow` looks again
        return made

    def for_web(self, item: WebListener) -> Shown:
        """What a web listener with TLS shows now. LeadglassError(USAGE) if a file that it names cannot be used."""
        chain, key = self._pair(item)
        _check_pair(item, chain, key)
        return Shown(chain, key, _client_authorities(item), end_of(chain))

    def for_dialing(self, device: Device) -> ssl.SSLContext:
        """The context to call `device` with: our own certificate, and what its enrolment trusts.

        Pinned certificates are the only ones accepted then, whatever name they carry; otherwise the certificate is of
        our CA, or the device's, and for the host that is called.
        """
        own, mine = authority_of(self._state, self._ca_key), self.own()
        pins = [item for item in device.certificates if item.binding is CertificateBinding.PINNED]
        foreign = trust_anchors([device], b"")
        trusted = b"".join(item.authority.encode("ascii") for item in pins) or foreign or own.pem
        return client_context(trusted, certificate=mine.chain_pem, key=mine.key_pem, check_hostname=not pins)

    def own(self) -> Issued:
        """The archive's own certificate and key; issued anew where that is due."""
        names = self._names()
        sealed = self._state.setting(SERVER)
        authority = authority_of(self._state, self._ca_key)
        if sealed is not None:
            kept = Issued.open(sealed, self._ca_key)
            fits = kept.is_for(names) and kept.authority_pem == authority.pem
            due = renewal_due(kept.not_after, self._now()) and kept.not_after < authority.not_after
            if fits and not due:
                return kept
        issued = authority.issue_server(names, self._now())
        self._state.put_setting(SERVER, issued.seal(self._ca_key))
        return issued

    def follow(self) -> list[Presented]:
        """Make the listeners' contexts again if devices, certificate files or the day have changed. What cannot be
        made leaves the context that worked, and is tried again at the next call. Those that fail for a new reason."""
        seen = self.look(path for made in self._presented for path in (made.item.certificate, made.item.key))
        changed, self._seen = seen != self._seen, seen
        for presented in self._presented:
            presented.stale |= changed
        return [presented for presented in self._presented if presented.stale and presented.renew()]

    def look(self, paths: Iterable[str]) -> object:
        """Equal to what it was as long as nothing has changed that certificates depend on: decisions, the day, and the
        files at `paths` (empty ones aside)."""
        return self._state.rights_epoch(), self._now().date(), [_changed_at(path) for path in paths if path]

    def _pair(self, item: ListenerConfig | WebListener) -> tuple[bytes, bytes]:
        """Chain and key of a listener: those that the configuration names, else the archive's own."""
        if item.certificate:
            return given_certificate(item)
        mine = self.own()
        return mine.chain_pem, mine.key_pem

    def _context(self, item: ListenerConfig) -> tuple[ssl.SSLContext, dt.datetime]:
        chain, key = self._pair(item)
        own = authority_of(self._state, self._ca_key)
        wanted = ClientCertificates.REQUIRED if item.client_certificates == "require" else ClientCertificates.OPTIONAL
        trusted = trust_anchors(self._state.devices(), own.pem)
        try:
            context = server_context(chain, key, client_authorities=trusted, client_certificates=wanted)
        except ssl.SSLError as error:
            raise _unfit(item) from error
        return context, end_of(chain)

    def _names(self) -> list[str]:
        """Under which the archive may be called: addresses and host names of this machine, and what is configured."""
        configured = {name for item in self._config.listeners for name in (item.host, *item.names)}
        web = {name for item in self._config.web if item.tls for name in (item.host, *item.names)}
        names = {"localhost", *configured, *web, *own_names(), *(address for _, address in own_addresses())}
        return sorted(names - {"0.0.0.0", "::"})  # noqa: S104  # left out, not listened on


def _called(item: ListenerConfig | WebListener | MetricsListener) -> str:
    if isinstance(item, MetricsListener):
        return "the metrics"
    return f"the web listener {item.label}" if isinstance(item, WebListener) else f"the listener on port {item.port}"


def _unfit(item: ListenerConfig | WebListener) -> LeadglassError:
    return LeadglassError(ErrorCode.USAGE, f"The certificate and key of {_called(item)} do not fit each other.")


def _check_pair(item: WebListener, chain: bytes, key: bytes) -> None:
    try:
        server_context(chain, key, client_certificates=ClientCertificates.IGNORED)
    except ssl.SSLError as error:
        raise _unfit(item) from error


def _client_authorities(item: WebListener) -> bytes:
    """What the listener's `client_ca` holds: certificates of authorities."""
    if not item.client_ca:
        return b""
    try:
        found = Path(item.client_ca).read_bytes()
    except OSError as error:
        comment = f"The client_ca of {_called(item)} cannot be read: {error.strerror}."
        raise LeadglassError(ErrorCode.USAGE, comment) from error
    end_of(found)  # it holds certificates
    return found


def _changed_at(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return 0
