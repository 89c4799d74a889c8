"""What is to be contacted, generated in random order: a scope of 16 million addresses costs no more memory than one."""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from leadglass.exposure.permutation import Permutation
from leadglass.exposure.scope import Network, Scope
from leadglass.exposure.service import Service


class Shard(NamedTuple):
    """Every `of`-th target, beginning with number `number` (from 0)."""

    number: int = 0
    of: int = 1


WHOLE = Shard()


class Named(NamedTuple):
    """A host name of the scope and one of its addresses."""

    address: str
    name: str


class Targets:
    """All services of a scope: its networks and `named` hosts times its ports, in the order of `seed`, cut to a shard.

    Hosts come in random order, each with one of its ports, then again with the next: a host is not asked twice in a
    row, and all of its ports are in one shard, so that one connection at a time stays one over all shards. Excluded
    addresses are passed over while it is walked. `given` are services from elsewhere (a port scanner's output), already
    cut to the scope: then only they are targets.
    """

    def __init__(
        self,
        scope: Scope,
        *,
        seed: int,
        shard: Shard = WHOLE,
        named: Sequence[Named] = (),
        given: Sequence[Service] | None = None,
    ) -> None:
        self._scope = scope
        self._shard = shard
        self._named = named
        self._networks = _collapsed(scope.networks) if scope.networks and given is None else []
        self._ends = list(accumulate(network.num_addresses for network in self._networks))
        self.addresses = self._ends[-1] if self._ends else 0
        self._given = None if given is None else [item for item in given if _falls_to(shard, item.address)]
        size = self.addresses + len(named) if self._given is None else len(self._given)
        self._order = Permutation(size, seed) if size else None
        self._hosts = size if self._given is not None else (size - shard.number + shard.of - 1) // shard.of

    def __len__(self) -> int:
        """How many services this shard has, excluded ones among them."""
        return self._hosts if self._given is not None else self._hosts * len(self._scope.ports)

    def walk(self, start: int = 0) -> Iterator[tuple[int, Service]]:
        """Position in this shard and service, from position `start` on."""
        if self._order is None:
            return
        for position in range(start, len(self)):
            service = self._at(position, self._order)
            if service is not None:
                yield position, service

    def _at(self, position: int, order: Permutation) -> Service | None:
        if self._given is not None:
            return self._given[order[position]]
        turn, place = divmod(position, self._hosts)
        host = order[place * self._shard.of + self._shard.number]
        port = self._scope.ports[(turn + host) % len(self._scope.ports)]
        if host >= self.addresses:
            address, name = self._named[host - self.addresses]
            return Service(address, port, name)
        number = bisect_right(self._ends, host)
        network = self._networks[number]
        found = network.network_address + (host - (self._ends[number - 1] if number else 0))
        if any(found in excluded for excluded in self._scope.exclusions):
            return None
        return Service(str(found), port)


def _falls_to(shard: Shard, address: str) -> bool:
    return int(ipaddress.ip_address(address)) % shard.of == shard.number


def excluded(scope: Scope) -> int:
    """How many listed addresses are excluded."""
    listed, taken_out = _collapsed(scope.networks), _collapsed(scope.exclusions)
    count = 0
    for network in listed:
        for out in taken_out:
            if network.version == out.version and network.overlaps(out):
                count += min(network.num_addresses, out.num_addresses)
    return count


def _collapsed(networks: Sequence[Network]) -> list[Network]:
    four = [network for network in networks if isinstance(network, ipaddress.IPv4Network)]
    six = [network for network in networks if isinstance(network, ipaddress.IPv6Network)]
    return [*ipaddress.collapse_addresses(four), *ipaddress.collapse_addresses(six)]
