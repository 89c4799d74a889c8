"""The scope file: TOML to Scope, every fault of it in one sentence that names the key."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from leadglass.app.toml_tables import Tables
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.exposure.scope import USUAL_PORTS, Network, Pace, Scope
from leadglass.exposure.service import MAX_HOST_NAME, Service

MAX_DAYS = 366  # a permission for longer is a habit
MAX_SAMPLE = 10
MAX_RESOLVERS = 8
DNS_PORT = 53
MAX_LISTED = 100_000  # networks, names or exclusions of one file
_NAME = re.compile(r"(?!-)[a-z0-9-]{1,63}(\.(?!-)[a-z0-9-]{1,63})+\.?")
_RESOLVER = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):([0-9]{1,5})")  # with a port; a bare address otherwise
_TITLE = re.compile(r"[\x21-\x5b\x5d-\x7e][\x20-\x5b\x5d-\x7e]{0,15}")


class ScopeFile(NamedTuple):
    """A scope, and what the file calls itself."""

    scope: Scope
    title: str


def read_scope(data: bytes, where: str) -> ScopeFile:
    """The scope that these bytes say. Raises LeadglassError USAGE."""
    try:
        raw = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LeadglassError(ErrorCode.USAGE, f"{where} is not TOML: {error}") from error
    return _Reader(where).read(raw)


class _Reader(Tables):
    def read(self, raw: Mapping[str, Any]) -> ScopeFile:
        self.only(raw, {"permission", "targets", "asking", "pace"}, "")
        permission = self.table(raw, "permission")
        self.only(permission, {"title", "authorised_by", "contact", "from", "until"}, "permission")
        targets = self.table(raw, "targets")
        self.only(targets, {"networks", "names", "exclude", "ports", "resolvers"}, "targets")
        asking = self.table(raw, "asking", needed=False)
        self.only(asking, {"calling_title", "default_titles", "count_patients", "sample", "reverse_names"}, "asking")
        begin, end = self._moment(permission, "from"), self._moment(permission, "until")
        if not begin < end <= begin + MAX_DAYS * 86400:
            raise self.wrong("permission.until", f"must be after permission.from, and at most {MAX_DAYS} days later")
        names = self._names(self.texts(targets, "names", "targets", []), "targets.names")
        networks = self._networks(self.texts(targets, "networks", "targets", []), "targets.networks")
        if not names and not networks:
            raise self.wrong("targets.networks", "lists nothing, and so does targets.names: there is no default target")
        exclude = self.texts(targets, "exclude", "targets", [])
        scope = Scope(
            authorised_by=self._said(permission, "authorised_by"),
            contact=self._said(permission, "contact"),
            valid_from=begin,
            valid_until=end,
            networks=networks,
            names=names,
            exclusions=self._networks([item for item in exclude if not _is_name(item)], "targets.exclude"),
            excluded_names=tuple(item.lower().rstrip(".") for item in exclude if _is_name(item)),
            ports=self._ports(targets),
            calling_title=self._title(asking),
            pace=self._pace(self.table(raw, "pace", needed=False)),
            count_patients=self.truth(asking, "count_patients", "asking", default=False),
            sample=self._number(asking, "sample", "asking", 0, 0, MAX_SAMPLE),
            default_titles=self.truth(asking, "default_titles", "asking", default=False),
            resolvers=self._resolvers(self.texts(targets, "resolvers", "targets", [])),
            reverse_names=self.truth(asking, "reverse_names", "asking", default=False),
        )
        return ScopeFile(scope, self.text(permission, "title", "permission", "Audit"))

    def _said(self, table: Mapping[str, Any], key: str) -> str:
        text = self.text(table, key, "permission").strip()
        if not text:
            raise self.wrong(f"permission.{key}", "must say who")
        return text

    def _moment(self, table: Mapping[str, Any], key: str) -> float:
        value = table.get(key)
        if isinstance(value, dt.datetime):
            return (value if value.tzinfo else value.replace(tzinfo=dt.UTC)).timestamp()
        if isinstance(value, dt.date):
            return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC).timestamp()
        raise self.wrong(f"permission.{key}", "must be a date or a time, as 2026-12-31 without quotes")

    def _networks(self, listed: list[str], key: str) -> tuple[Network, ...]:
        if len(listed) > MAX_LISTED:
            raise self.wrong(key, f"lists more than {MAX_LISTED} networks")
        return tuple(network for item in listed for network in self._network(item, key))

    def _network(self, item: str, key: str) -> Iterable[Network]:
        first, dash, last = item.partition("-")
        try:
            if not dash:
                return (ipaddress.ip_network(item.strip()),)
            low, high = ipaddress.ip_address(first.strip()), ipaddress.ip_address(last.strip())
            return tuple(ipaddress.summarize_address_range(low, high))
        except (ValueError, TypeError) as error:
            raise self.wrong(key, f'has "{item}": write 192.0.2.0/24, 192.0.2.5 or 192.0.2.5-192.0.2.9') from error

    def _names(self, listed: list[str], key: str) -> tuple[str, ...]:
        names = tuple(item.lower().rstrip(".") for item in listed)
        for item in names:
            if not _is_name(item):
                raise self.wrong(key, f'has "{item}", which is no host name')
        return names

    def _ports(self, targets: Mapping[str, Any]) -> tuple[int, ...]:
        ports = targets.get("ports", list(USUAL_PORTS))
        if not isinstance(ports, list) or not ports or len(ports) > 1000:
            raise self.wrong("targets.ports", "must be a list of 1 to 1000 ports")
        if not all(isinstance(port, int) and 0 < port < 65536 for port in ports):
            raise self.wrong("targets.ports", "must be numbers from 1 to 65535")
        return tuple(dict.fromkeys(ports))

    def _resolvers(self, listed: list[str]) -> tuple[Service, ...]:
        if len(listed) > MAX_RESOLVERS:
            raise self.wrong("targets.resolvers", f"lists more than {MAX_RESOLVERS} resolvers")
        return tuple(self._resolver(item.strip()) for item in listed)

    def _resolver(self, item: str) -> Service:
        found = _RESOLVER.fullmatch(item)
        try:
            address, port = (found[1] or found[2], found[3]) if found else (item, DNS_PORT)
            return Service(str(ipaddress.ip_address(address)), int(port))
        except ValueError as error:
            comment = f'has "{item}": write 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:5353'
            raise self.wrong("targets.resolvers", comment) from error

    def _title(self, asking: Mapping[str, Any]) -> str:
        title = self.text(asking, "calling_title", "asking", "LEADGLASS")
        if not _TITLE.fullmatch(title):
            raise self.wrong("asking.calling_title", "must be 1 to 16 characters of ASCII without backslash")
        return title

    def _pace(self, table: Mapping[str, Any]) -> Pace:
        usual = Pace()
        self.only(table, {"per_host", "total", "concurrent", "connect_timeout", "probe_timeout"}, "pace")
        return Pace(
            per_host=self._rate(table, "per_host", usual.per_host),
            total=self._rate(table, "total", usual.total),
            concurrent=self._number(table, "concurrent", "pace", usual.concurrent, 1, 20_000),
            connect_timeout=self._rate(table, "connect_timeout", usual.connect_timeout),
            probe_timeout=self._rate(table, "probe_timeout", usual.probe_timeout),
        )

    def _rate(self, table: Mapping[str, Any], key: str, usual: float) -> float:
        value = table.get(key, usual)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0.001 <= value <= 1_000_000:
            raise self.wrong(f"pace.{key}", "must be a number above zero")
        return float(value)

    def _number(self, table: Mapping[str, Any], key: str, name: str, usual: int, least: int, most: int) -> int:  # noqa: PLR0917
        value = table.get(key, usual)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.wrong(f"{name}.{key}", f"must be a number from {least} to {most}")
        return value


def _is_name(text: str) -> bool:
    """Whether this is a host name. An address in dots looks like one, and is none."""
    if not _NAME.fullmatch(text.lower()) or len(text.rstrip(".")) > MAX_HOST_NAME:
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return not text.rstrip(".").rpartition(".")[2].isdigit()
    return False
