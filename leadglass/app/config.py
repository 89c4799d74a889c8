"""The archive's configuration: `leadglass.toml` in its home. Unknown keys are refused: a typo must not open a door."""

from __future__ import annotations

import datetime as dt
import ipaddress
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leadglass.access.accounts import AccountRules
from leadglass.access.openid import OpenIdSettings
from leadglass.access.openid_people import PeopleSettings
from leadglass.app.accounts_config import account_rules
from leadglass.app.metrics_config import MetricsListener, metrics_listener
from leadglass.app.openid_config import openid_of
from leadglass.app.openid_people_config import people_of
from leadglass.app.toml_tables import Tables
from leadglass.app.web_config import WebListener, quota_limits, web_listener
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MAX_BODY, MAX_INSTANCE, MIB
from leadglass.services.quotas import QuotaLimits

MAX_OVERRIDE_DAYS = 90
_TABLES = {"accounts", "archive", "keys", "listener", "metrics", "networks", "openid", "override", "uploads", "web"}
_TABLES |= {"web_limits"}
KEY_SOURCES = ("file", "credential", "fd", "command", "passphrase")


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where the master key comes from. `value` is a path, a credential's name, a descriptor or a command line."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class ListenerConfig:
    """Where the archive listens. `client_certificates` is "require" or "optional" and means something with TLS only."""

    host: str
    port: int
    tls: bool = True
    client_certificates: str = "require"
    certificate: str = ""  # PEM file; empty: from the archive's own CA
    key: str = ""
    names: tuple[str, ...] = ()  # further host names and addresses that the archive's own certificate is for


@dataclass(frozen=True, slots=True)
class Override:
    """A named risk that somebody takes for a reason, until a day. `device` narrows `plain-retrieve` to one device."""

    risk: str
    reason: str
    until: dt.date
    device: str = ""


@dataclass(frozen=True, slots=True)
class UploadBounds:
    """Bytes of one request of STOW-RS, and of one instance in it."""

    request: int = MAX_BODY
    instance: int = MAX_INSTANCE


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that `leadglass.toml` says."""

    ae_titles: tuple[str, ...]
    key_source: KeySource
    listeners: tuple[ListenerConfig, ...]
    internal_networks: tuple[str, ...] = ()
    overrides: tuple[Override, ...] = ()
    demo: bool = False
    web: tuple[WebListener, ...] = ()
    uploads: UploadBounds = UploadBounds()
    openid: OpenIdSettings | None = None
    openid_people: PeopleSettings | None = None
    web_limits: QuotaLimits = field(default_factory=QuotaLimits)
    metrics: MetricsListener | None = None
    accounts: AccountRules = field(default_factory=AccountRules)

    def overridden(self, risk: str, today: dt.date, device: str = "") -> Override | None:
        """The override in force for `risk` (and, where given, `device`)."""
        for override in self.overrides:
            if override.risk == risk and today <= override.until and override.device in ("", device):
                return override
        return None


def read_config(path: Path) -> Config:
    """Read and check a configuration. LeadglassError USAGE names the file, the key and what is expected."""
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise LeadglassError(ErrorCode.USAGE, f"There is no archive here: {path} is missing.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise LeadglassError(ErrorCode.USAGE, f"{path} cannot be read: {error}") from None
    return parse_config(raw, path.name)


def parse_config(raw: Mapping[str, Any], where: str = "leadglass.toml") -> Config:
    """A configuration from its TOML tables; LeadglassError USAGE for anything unknown or out of range."""
    tables = Tables(where)
    tables.only(raw, _TABLES, "")
    archive = tables.table(raw, "archive")
    tables.only(archive, {"ae_titles", "demo"}, "archive")
    networks = tables.table(raw, "networks", needed=False)
    tables.only(networks, {"internal"}, "networks")
    titles = tuple(tables.texts(archive, "ae_titles", "archive"))
    if not titles:
        raise tables.wrong("archive.ae_titles", 'names no title; give at least one, like ["LEADGLASS"]')
    return Config(
        ae_titles=titles,
        key_source=_key_source(tables, tables.table(raw, "keys")),
        listeners=tuple(_listener(tables, item) for item in tables.tables(raw, "listener")),
        internal_networks=tuple(_network(tables, text) for text in tables.texts(networks, "internal", "networks", [])),
        overrides=tuple(_override(tables, item) for item in tables.tables(raw, "override")),
        openid=openid_of(tables, raw),
        openid_people=people_of(tables, raw),
        demo=tables.truth(archive, "demo", "archive", default=False),
        uploads=_uploads(tables, tables.table(raw, "uploads", needed=False)),
        metrics=metrics_listener(tables, raw),
        accounts=account_rules(tables, raw),
        web_limits=quota_limits(tables, tables.table(raw, "web_limits", needed=False)),
        web=tuple(web_listener(tables, item) for item in tables.tables(raw, "web")),
    )


def _key_source(tables: Tables, raw: Mapping[str, Any]) -> KeySource:
    tables.only(raw, {"source", "value"}, "keys")
    kind = tables.text(raw, "source", "keys")
    if kind not in KEY_SOURCES:
        raise tables.wrong("keys.source", f"must be one of {', '.join(KEY_SOURCES)}")
    return KeySource(kind, tables.text(raw, "value", "keys", ""))


def _listener(tables: Tables, raw: Mapping[str, Any]) -> ListenerConfig:
    tables.only(raw, {"host", "port", "tls", "client_certificates", "certificate", "key", "names"}, "listener")
    host = tables.text(raw, "host", "listener")
    port = raw.get("port", 0)
    if not isinstance(port, int) or isinstance(port, bool) or not 0 <= port <= 65535:
        raise tables.wrong("listener.port", "must be a port number")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise tables.wrong("listener.host", "must be an IP address of this machine, not a name") from None
    certificates = tables.text(raw, "client_certificates", "listener", "require")
    if certificates not in ("require", "optional"):
        raise tables.wrong("listener.client_certificates", 'must be "require" or "optional"')
    tls = tables.truth(raw, "tls", "listener", default=True)
    certificate, key = (tables.text(raw, name, "listener", "") for name in ("certificate", "key"))
    if bool(certificate) is not bool(key):
        raise tables.wrong("listener", "needs certificate and key together, or neither (then the own CA issues)")
    names = tuple(tables.texts(raw, "names", "listener", []))
    return ListenerConfig(host, port, tls, certificates, certificate, key, names)


def _uploads(tables: Tables, raw: Mapping[str, Any]) -> UploadBounds:
    tables.only(raw, {"request_mib", "instance_mib"}, "uploads")
    given = {"request_mib": MAX_BODY // MIB, "instance_mib": MAX_INSTANCE // MIB} | dict(raw)
    for key, value in given.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise tables.wrong(f"uploads.{key}", "must be a number of MiB, at least 1")
    return UploadBounds(given["request_mib"] * MIB, given["instance_mib"] * MIB)


def _override(tables: Tables, raw: Mapping[str, Any]) -> Override:
    tables.only(raw, {"risk", "reason", "until", "device"}, "override")
    reason = tables.text(raw, "reason", "override")
    until = raw.get("until")
    if not isinstance(until, dt.date) or isinstance(until, dt.datetime):
        raise tables.wrong("override.until", "must be a date such as 2026-12-31")
    if not reason.strip():
        raise tables.wrong("override.reason", "must say why")
    return Override(tables.text(raw, "risk", "override"), reason, until, tables.text(raw, "device", "override", ""))


def _network(tables: Tables, text: Any) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise tables.wrong("networks.internal", "must hold networks such as 10.1.0.0/16") from None
