"""What kind of address somebody calls from. IPv4 in IPv6 clothing is looked at as IPv4, in addresses and networks."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_PRIVATE = ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")
_LINK_LOCAL = ("169.254.0.0/16", "fe80::/10")
_CACHED = 16_384  # every device's networks, and callers of the day: parsed once, asked at each association


@lru_cache(maxsize=_CACHED)
def address_of(text: str) -> Address:
    """The address in `text`; IPv4-mapped IPv6 becomes IPv4 and a zone is dropped. ValueError if it is none."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


@lru_cache(maxsize=_CACHED)
def network_of(text: str) -> Network:
    """The network in `text`, a single address being one of its own; IPv4-mapped IPv6 becomes IPv4. ValueError if it is
    none or has bits beyond its prefix."""
    network = ipaddress.ip_network(text)
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        return ipaddress.IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))
    return network


def contained(address: Address, networks: Iterable[str]) -> bool:
    """Whether `address` lies in one of `networks`."""
    return any(address in network_of(text) for text in networks)


def narrowest(address: Address, networks: Iterable[str]) -> int:
    """The longest prefix of those of `networks` that hold `address`; -1 if none does."""
    return max((network_of(text).prefixlen for text in networks if address in network_of(text)), default=-1)


def plain_source_allowed(text: str, internal_networks: Iterable[str]) -> bool:
    """Whether plain DICOM may come from here: loopback, RFC 1918, fc00::/7 and declared internal ranges only.

    Global, CGNAT (100.64.0.0/10) and link-local sources are none of these.
    """
    try:
        address = address_of(text)
    except ValueError:
        return False
    return contained(address, _PRIVATE) or contained(address, internal_networks)


def belongs_to_no_device(address: Address) -> bool:
    """Link-local (cloud metadata services answer there), unspecified, multicast: nobody to send images to."""
    return contained(address, _LINK_LOCAL) or address.is_unspecified or address.is_multicast


def is_host(network: Network) -> bool:
    """Whether it is a single address."""
    return network.prefixlen == network.max_prefixlen


def overlapping(one: Network, other: Network) -> bool:
    """Whether some address is in both."""
    return one.version == other.version and one.overlaps(other)


def count_addresses(networks: Iterable[Network]) -> tuple[int, int]:
    """How many IPv4 and how many IPv6 addresses the networks hold together."""
    given = list(networks)
    four = ipaddress.collapse_addresses([item for item in given if isinstance(item, ipaddress.IPv4Network)])
    six = ipaddress.collapse_addresses([item for item in given if isinstance(item, ipaddress.IPv6Network)])
    return sum(item.num_addresses for item in four), sum(item.num_addresses for item in six)
