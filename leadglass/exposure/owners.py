"""Whose a service is: by the sources that the user gives, and by what the service says itself (RFC 9116)."""

from __future__ import annotations

import csv
import io
import ipaddress
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from leadglass.exposure.facts import Facts, technical
from leadglass.exposure.scope import Network

MAX_ROWS = 2_000_000  # of an address file
_COLUMNS = ("network", "country", "organisation", "contact")


@dataclass(frozen=True, slots=True)
class Owner:
    """Empty where it is not known. `country` is ISO 3166-1 alpha-2; `contact` an address of mail or the web."""

    network: str = ""
    country: str = ""
    organisation: str = ""
    contact: str = ""


Lookup: TypeAlias = Callable[[str], Owner]  # what a source knows of an address, whatever it knows


class AddressFile:
    """Networks and their owners: the longest network that holds an address counts."""

    def __init__(self, rows: Iterable[tuple[Network, Owner]]) -> None:
        self._by_length: dict[tuple[int, int], dict[int, Owner]] = {}
        for network, owner in rows:
            key = (network.version, network.prefixlen)
            self._by_length.setdefault(key, {})[int(network.network_address)] = owner
        self._lengths = sorted(self._by_length, key=lambda key: -key[1])

    def of(self, address: str) -> Owner:
        """A `Lookup`."""
        parsed = ipaddress.ip_address(address)
        number, bits = int(parsed), parsed.max_prefixlen
        for version, length in self._lengths:
            if version == parsed.version:
                owner = self._by_length[version, length].get(number >> (bits - length) << (bits - length))
                if owner is not None:
                    return owner
        return Owner()


class Owners:
    """What all sources that the user gives know: an earlier one goes first, a later one fills what is empty."""

    def __init__(self, sources: Sequence[Lookup] = ()) -> None:
        self._sources = sources

    def of(self, address: str, facts: Facts | None = None) -> Owner:
        """The owner of an address. What its own security.txt says goes before any other contact."""
        found = Owner()
        for source in self._sources:
            known = source(address)
            found = Owner(
                found.network or known.network,
                found.country or known.country,
                found.organisation or known.organisation,
                found.contact or known.contact,
            )
        said = facts.value("W11", "contact") if facts is not None else None
        return replace(found, contact=str(said[0])) if isinstance(said, tuple) and said else found


def read_owners(data: bytes) -> Owners:
    """A CSV with the columns network, country, organisation, contact. ValueError says which line is wrong."""
    reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig", "replace")))
    names = [name.strip().lower() for name in reader.fieldnames or ()]
    if "network" not in names:
        raise ValueError(f"the first line has to name the columns: {', '.join(_COLUMNS)}")
    reader.fieldnames = names
    rows: list[tuple[Network, Owner]] = []
    for line, row in enumerate(reader, 2):
        if line > MAX_ROWS:
            raise ValueError("the file is too long")
        text = (row.get("network") or "").strip()
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise ValueError(f"line {line} has no network") from None
        told = (
            technical(_ascii(row.get(name) or "")) if name == "contact" else clean(row.get(name))
            for name in _COLUMNS[1:]
        )
        rows.append((network, Owner(str(network), *told)))
    return Owners((AddressFile(rows).of,))


def clean(text: str | None) -> str:
    """A name from such a source as reports may show it: printable, at most 120 characters."""
    return "".join(char for char in (text or "").strip() if char.isprintable())[:120]


def _ascii(text: str) -> str:
    return text.strip()
