"""Rules of enrolment: what a device may look like. The same rules judge it again at every start of the server."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from leadglass.access.addresses import address_of, contained, plain_source_allowed
from leadglass.core.device import Device
from leadglass.core.errors import ErrorCode, LeadglassError

MAX_ADDRESSES = 256  # IPv4 addresses that a device without certificate may call from
MAX_PLAIN_ADDRESSES = 16
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TITLE = re.compile(
    r"[\x21-\x5b\x5d-\x7e]([\x20-\x5b\x5d-\x7e]{0,14}[\x21-\x5b\x5d-\x7e])?"
)  # PS3.5 6.2 AE, no outer space


@dataclass(frozen=True, slots=True)
class DeviceRisk:
    """Why a device would open the archive, and the mend. `name` is what an override names."""

    name: str
    sentence: str
    mend: str


def checked(
    device: Device, gateways: Sequence[str], internal_networks: Sequence[str], others: Sequence[Device]
) -> None:
    """Refuse a device that is badly described (USAGE) or unsafe (UNSAFE)."""
    _well_formed(device)
    for risk in device_risks(device, gateways, internal_networks):
        raise LeadglassError(ErrorCode.UNSAFE, f"{risk.sentence} {risk.mend}")
    for other in others:
        if other.name != device.name and _confusable(device, other):
            comment = f"Device {other.name} has the same AE title from the same address: nothing tells them apart."
            raise LeadglassError(ErrorCode.USAGE, f"{comment} Give one a certificate or another address.")


def device_risks(device: Device, gateways: Sequence[str], internal_networks: Sequence[str]) -> Iterator[DeviceRisk]:
    """Everything about `device` that is unsafe. `gateways` are this host's own gateways and bridge addresses."""
    networks = [ipaddress.ip_network(text) for text in device.networks]
    if not device.certificates:
        yield from _too_wide(networks)
        if any(contained(address_of(gateway), device.networks) for gateway in gateways):
            yield DeviceRisk(
                "device-gateway",
                "Its networks contain a gateway or bridge of this machine: forwarded connections arrive from there.",
                "Leave that address out, or give the device a certificate.",
            )
    if device.plain:
        yield from _plain_risks(device, networks, gateways, internal_networks)


def _too_wide(networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> Iterator[DeviceRisk]:
    four = sum(net.num_addresses for net in ipaddress.collapse_addresses(_of_version(networks, 4)))
    six = list(ipaddress.collapse_addresses(_of_version(networks, 6)))
    if four > MAX_ADDRESSES or sum(net.num_addresses for net in six) > 2**64:
        yield DeviceRisk(
            "device-networks-wide",
            f"It has no certificate and may call from more than {MAX_ADDRESSES} IPv4 addresses or one IPv6 /64.",
            "Name its addresses, or give it a certificate.",
        )


def _of_version(networks: Sequence[object], version: int) -> Iterator[ipaddress.IPv4Network]:
    for network in networks:
        if getattr(network, "version", 0) == version:
            yield network  # type: ignore[misc]  # one version at a time, which the type cannot say


def _plain_risks(
    device: Device,
    networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network],
    gateways: Sequence[str],
    internal_networks: Sequence[str],
) -> Iterator[DeviceRisk]:
    if len(networks) > MAX_PLAIN_ADDRESSES or any(network.num_addresses != 1 for network in networks):
        yield DeviceRisk(
            "plain-range",
            f"Plain DICOM is for at most {MAX_PLAIN_ADDRESSES} single addresses, never for a range.",
            "Name its addresses one by one, or use TLS.",
        )
    for network in networks:
        host = str(network.network_address)
        if not plain_source_allowed(host, internal_networks):
            yield DeviceRisk(
                "plain-outside",
                f"Plain DICOM from {host}, which is neither private nor declared internal.",
                "Use TLS, or declare the range under networks.internal.",
            )
        elif host in gateways and device.certificates:
            yield DeviceRisk("plain-gateway", f"{host} is this machine's own gateway or bridge.", "Use TLS.")


def _well_formed(device: Device) -> None:
    if not _NAME.fullmatch(device.name):
        raise LeadglassError(
            ErrorCode.USAGE, "A device's name has letters, digits, dots, dashes, underscores; 64 at most."
        )
    if not device.ae_titles:
        raise LeadglassError(ErrorCode.USAGE, "A device needs at least one AE title.")
    for title in device.ae_titles:
        if not _TITLE.fullmatch(title):
            raise LeadglassError(ErrorCode.USAGE, "An AE title has 1 to 16 printable ASCII characters, no backslash.")
    if not device.networks:
        raise LeadglassError(ErrorCode.USAGE, "A device needs at least one address or network to call from.")
    for text in device.networks:
        try:
            ipaddress.ip_network(text)
        except ValueError:
            raise LeadglassError(ErrorCode.USAGE, "That is no address or network (host bits must be zero).") from None


def _confusable(one: Device, other: Device) -> bool:
    if not set(one.ae_titles) & set(other.ae_titles):
        return False
    if one.certificates and other.certificates:
        return False
    nets = [ipaddress.ip_network(text) for text in other.networks]
    for text in one.networks:
        network = ipaddress.ip_network(text)
        if any(network.version == item.version and network == item for item in nets):
            return bool(one.certificates) == bool(other.certificates)
    return False
