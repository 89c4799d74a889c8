"""`[metrics]`: where counts are told to Prometheus, and what it has to show."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leadglass.app.toml_tables import Tables


@dataclass(frozen=True, slots=True)
class MetricsListener:
    """An address, a file with the bearer token, and PEM files where it has TLS."""

    host: str
    port: int
    token_file: Path
    certificate: str = ""
    key: str = ""


def metrics_listener(tables: Tables, raw: Mapping[str, Any]) -> MetricsListener | None:
    """The table, if there is one. LeadglassError USAGE for anything unknown, and for plain HTTP off loopback."""
    if "metrics" not in raw:
        return None
    table = tables.table(raw, "metrics")
    tables.only(table, {"host", "port", "token_file", "certificate", "key"}, "metrics")
    host, token = tables.text(table, "host", "metrics"), Path(tables.text(table, "token_file", "metrics"))
    certificate, key = (tables.text(table, name, "metrics", "") for name in ("certificate", "key"))
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        raise tables.wrong("metrics.host", "must be an IP address of this machine, not a name") from None
    port = table.get("port", 0)
    if not isinstance(port, int) or isinstance(port, bool) or not 0 < port <= 65535:
        raise tables.wrong("metrics.port", "must be a port number")
    if not token.is_absolute():
        raise tables.wrong("metrics.token_file", "must be an absolute path")
    if bool(certificate) is not bool(key):
        raise tables.wrong("metrics", "needs certificate and key together, or neither")
    if not loopback and not certificate:
        raise tables.wrong("metrics.host", "must be a loopback address unless there is a certificate and a key")
    return MetricsListener(host, port, token, certificate, key)
