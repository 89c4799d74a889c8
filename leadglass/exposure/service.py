"""What an audit looks at: one service behind one address, port and, where a host name was asked for, that name."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache

MAX_HOST_NAME = 253  # characters (RFC 1035 2.3.4)


@lru_cache(maxsize=8192)  # each address is looked at several times while it is asked
def parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An address from its text. Raises ValueError if it is none."""
    return ipaddress.ip_address(address)


@dataclass(frozen=True, slots=True, order=True)
class Service:
    """A place that can be connected to. `address` is an IP address in its canonical text, never a name.

    `name` is the host name under which the scope lists it ("" if it lists the address): it is sent as SNI and Host, and
    two names behind one address are two services. Raises ValueError if the address or the port (1 to 65,535) is none.
    """

    address: str
    port: int
    name: str = ""

    def __post_init__(self) -> None:
        if str(parsed(self.address)) != self.address:
            raise ValueError("an address is written in its canonical form")
        if not 0 < self.port < 65536 or len(self.name) > MAX_HOST_NAME:
            raise ValueError("a port is from 1 to 65535, a name at most 253 characters")

    @property
    def label(self) -> str:
        """For people and logs: `name (address):port`, IPv6 in brackets."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.name} ({host}):{self.port}" if self.name else f"{host}:{self.port}"

    @property
    def public(self) -> bool:
        """Whether the address is one of the internet's own (RFC 6890)."""
        return parsed(self.address).is_global
