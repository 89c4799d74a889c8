"""The files that say whose a network is: CSV, answers of RDAP, MaxMind's databases; each known by what is in it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.exposure.owners import Lookup, Owner, Owners, clean, read_owners
from leadglass.exposure.rdap import read_rdap

_MARK = b"\xab\xcd\xefMaxMind.com"  # before the metadata, in the last 128 KiB (MaxMind DB format 2.0)
_TAIL = 128 * 1024


def read_owner_files(paths: Iterable[Path]) -> Owners:
    """All of them; an earlier one goes first. USAGE if one cannot be read, UNAVAILABLE without the library for it."""
    return Owners([_source(path) for path in paths])


def _source(path: Path) -> Lookup:
    if _is_maxmind(path):
        return _maxmind(path)
    data = path.read_bytes()
    try:
        if data.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (b"{", b"["):
            return read_rdap(data).of
        return read_owners(data).of
    except ValueError as error:
        raise LeadglassError(ErrorCode.USAGE, f"{path}: {error}.") from error


def _is_maxmind(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        return _MARK in file.read()


def _maxmind(path: Path) -> Lookup:
    try:
        import maxminddb  # noqa: PLC0415 - an extra that most do without
    except ImportError as error:
        comment = "MaxMind's databases need a library: pip install 'leadglass[maxmind]'."
        raise LeadglassError(ErrorCode.UNAVAILABLE, comment) from error
    # The library checks little before it takes a file at its word: what it runs into says that the file is damaged.
    faults = (maxminddb.InvalidDatabaseError, ValueError, TypeError, LookupError, RecursionError, ArithmeticError)
    damaged = LeadglassError(ErrorCode.USAGE, f"{path} is no database of MaxMind, or damaged.")
    try:
        database = maxminddb.open_database(path, maxminddb.MODE_MEMORY)
    except faults as error:
        raise damaged from error

    def of(address: str) -> Owner:
        if ":" in address and database.metadata().ip_version == 4:
            return Owner()
        try:
            record, length = database.get_with_prefix_len(address)
            network = ipaddress.ip_network(f"{address}/{length}", strict=False)
        except faults as error:
            raise damaged from error
        if not isinstance(record, dict):
            return Owner()
        return Owner(str(network), _country(record), _organisation(record))

    return of


def _country(record: Mapping[str, Any]) -> str:
    """As the databases of countries and cities have it."""
    for name in ("country", "registered_country"):
        found = record.get(name)
        code = found.get("iso_code") if isinstance(found, dict) else None
        if isinstance(code, str):
            return clean(code)[:2].upper()
    return ""


def _organisation(record: Mapping[str, Any]) -> str:
    """As those of providers and autonomous systems have it: who announces the address, not always whose it is."""
    for name in ("organization", "isp", "autonomous_system_organization"):
        found = record.get(name)
        if isinstance(found, str):
            return clean(found)
    return ""
