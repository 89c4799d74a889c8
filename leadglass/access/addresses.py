"""What kind of address somebody calls from. IPv4 in IPv6 clothing is looked at as IPv4."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_PRIVATE: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")
)


def address_of(text: str) -> Address:
    """The address in `text`; IPv4-mapped IPv6 becomes IPv4 and a zone is dropped. ValueError if it is none."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def contained(address: Address, networks: Iterable[str]) -> bool:
    """Whether `address` lies in one of `networks`."""
    return any(address in ipaddress.ip_network(text) for text in networks if _same_family(address, text))


def plain_source_allowed(text: str, internal_networks: Sequence[str]) -> bool:
    """Whether plain DICOM may come from here: loopback, RFC 1918, fc00::/7 and declared internal ranges only.

    Global, CGNAT (100.64.0.0/10) and link-local sources are none of these.
    """
    address = address_of(text)
    return any(address in network for network in _PRIVATE if network.version == address.version) or contained(
        address, internal_networks
    )


def _same_family(address: Address, network: str) -> bool:
    return (":" in network) == (address.version == 6)
