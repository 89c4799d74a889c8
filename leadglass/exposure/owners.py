"""Whose a service is: by the address file that the user gives, and by what the service says itself (RFC 9116)."""

from __future__ import annotations

import csv
import io
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

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


class Owners:
    """An address file: the longest network that holds an address counts."""

    def __init__(self, rows: Sequence[tuple[Network, Owner]] = ()) -> None:
        self._by_length: dict[tuple[int, int], dict[int, Owner]] = {}
        for network, owner in rows:
            key = (network.version, network.prefixlen)
            self._by_length.setdefault(key, {})[int(network.network_address)] = owner
        self._lengths = sorted(self._by_length, key=lambda key: -key[1])

    def of(self, address: str, facts: Facts | None = None) -> Owner:
        """The owner of an address. What its own security.txt says goes before the file's contact."""
        found = self._listed(address)
        said = facts.value("W11", "contact") if facts is not None else None
        if isinstance(said, tuple) and said:
            return Owner(found.network, found.country, found.organisation, str(said[0]))
        return found

    def _listed(self, address: str) -> Owner:
        parsed = ipaddress.ip_address(address)
        number, bits = int(parsed), parsed.max_prefixlen
        for version, length in self._lengths:
            if version == parsed.version:
                owner = self._by_length[version, length].get(number >> (bits - length) << (bits - length))
                if owner is not None:
                    return owner
        return Owner()


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
            technical(_ascii(row.get(name) or "")) if name == "contact" else _clean(row.get(name))
            for name in _COLUMNS[1:]
        )
        rows.append((network, Owner(str(network), *told)))
    return Owners(rows)


def _clean(text: str | None) -> str:
    return "".join(char for char in (text or "").strip() if char.isprintable())[:120]


def _ascii(text: str) -> str:
    return text.strip()
