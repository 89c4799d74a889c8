"""The scope of an audit: who permits what. Nothing is contacted outside of it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TypeAlias

from leadglass.exposure.service import Service, parsed

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

USUAL_PORTS = (104, 11112, 2761, 2762, 4242, 2345, 5678, 8104, 11113, 80, 443, 8042, 8080, 8443)


@dataclass(frozen=True, slots=True)
class Pace:
    """How gently. The defaults suit clinical systems.

    `per_host` and `total` are connections a second, `concurrent` connections at a time in all (a host has one at a
    time); timeouts are seconds: for a TCP connection, and for all that one probe does.
    """

    per_host: float = 2.0
    total: float = 200.0
    concurrent: int = 256
    connect_timeout: float = 3.0
    probe_timeout: float = 20.0


@dataclass(frozen=True, slots=True)
class Scope:
    """What may be contacted, how, from when until when (seconds since 1970, UTC), on whose authority.

    `networks` are the listed ones (ranges are written as the networks that make them up), `names` the listed host
    names, each of whose addresses must also lie in `networks` unless `networks` is empty. `exclusions` win over both.
    `sample` is from how many answers (0 to 10) kinds of personal data may be looked for.
    """

    authorised_by: str
    contact: str
    valid_from: float
    valid_until: float
    networks: tuple[Network, ...] = ()
    names: tuple[str, ...] = ()
    exclusions: tuple[Network, ...] = ()
    excluded_names: tuple[str, ...] = ()
    ports: tuple[int, ...] = USUAL_PORTS
    calling_title: str = "LEADGLASS"
    pace: Pace = field(default_factory=Pace)
    count_patients: bool = False
    sample: int = 0
    default_titles: bool = False  # whether products' default called AE titles may be tried
    resolvers: tuple[Service, ...] = ()  # asked for names instead of the system's, in this order
    reverse_names: bool = False  # whether the names that addresses lead back to may be asked for

    def allows(self, address: Address) -> bool:
        """Whether this address may be contacted at all."""
        if any(address in network for network in self.exclusions):
            return False
        if not self.networks:
            return bool(self.names)
        return any(address in network for network in self.networks)

    def permits(self, service: Service) -> bool:
        """Whether this service may be contacted: its address, its port, and its name if it is asked for by one."""
        if service.port not in self.ports or (service.name and not self.permits_name(service.name)):
            return False
        return self.allows(parsed(service.address))

    def permits_name(self, name: str) -> bool:
        """Whether this host name is listed and not excluded. Names are in lower case."""
        return name in self.names and name not in self.excluded_names

    def in_force(self, now: float) -> bool:
        """Whether the permission holds at this time."""
        return self.valid_from <= now < self.valid_until
