"""Rules of enrolment: what a device may look like. The same rules judge it again at every start of the server, since
gateways, bridges and declared ranges change."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from leadglass.access.addresses import (
    Network,
    address_of,
    belongs_to_no_device,
    count_addresses,
    is_host,
    network_of,
    overlapping,
    plain_source_allowed,
)
from leadglass.access.titles import is_valid_title
from leadglass.core.device import CertificateBinding, Device, DeviceCertificate
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import DEVICE_RIGHTS

MAX_ADDRESSES = 256  # IPv4 addresses that a device without certificate may call from
MAX_IPV6_ADDRESSES = 2**64  # one /64, the smallest usual network
MAX_PLAIN_ADDRESSES = 16
SHORTEST_INTERNAL_PREFIX = {4: 8, 6: 16}  # a wider declared range would call the internet internal

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_GATEWAY_SENTENCE = (
    "Its networks contain a gateway or bridge of this machine: forwarded connections and proxies arrive from there."
)


@dataclass(frozen=True, slots=True)
class DeviceRisk:
    """Why a device would open the archive, and the mend. `name` is what an override names."""

    name: str
    sentence: str
    mend: str


def checked(
    device: Device,
    gateways: Sequence[str],
    internal_networks: Sequence[str],
    others: Sequence[Device],
    taken: Callable[[str], bool] = lambda risk: False,
) -> None:
    """Refuse a device that is badly described (LeadglassError USAGE) or unsafe beside `others` (UNSAFE).

    `taken` says whether an override of that risk is in force for this device. Confusing two devices is never taken.
    """
    well_formed(device)
    for risk in device_risks(device, gateways, internal_networks):
        if not taken(risk.name):
            raise LeadglassError(ErrorCode.UNSAFE, f"{risk.sentence} {risk.mend} [override: {risk.name}]")
    for risk in confusions(device, others):
        raise LeadglassError(ErrorCode.UNSAFE, f"{risk.sentence} {risk.mend}")


def device_risks(device: Device, gateways: Sequence[str], internal_networks: Sequence[str]) -> Iterator[DeviceRisk]:
    """Everything about `device` that is unsafe by itself. `gateways` are this host's own gateways and container
    bridges, as addresses or networks. The device is well formed."""
    networks = [network_of(text) for text in device.networks]
    forwarding = any(overlapping(net, network_of(gateway)) for net in networks for gateway in gateways)
    if not device.certificates:
        yield from _without_certificate(networks, forwarding=forwarding)
    if device.plain:
        yield from _plain_risks(networks, internal_networks)
        if forwarding and device.certificates:
            yield DeviceRisk("plain-gateway", _GATEWAY_SENTENCE, "Leave that address out, or use TLS only.")
    yield from _listening_risks(device, internal_networks)


def confusions(device: Device, others: Iterable[Device]) -> Iterator[DeviceRisk]:
    """Devices that some caller would match just as well: the same title from the same network, and no certificate
    that tells them apart. Of networks that merely overlap the narrower one decides."""
    for other in others:
        if other.name == device.name or set(device.ae_titles).isdisjoint(other.ae_titles):
            continue
        shared = set(map(network_of, device.networks)) & set(map(network_of, other.networks))
        if shared and _same_proof(device, other):
            yield DeviceRisk(
                "device-ambiguous",
                f"Device {other.name} has the same AE title from the same address: nothing tells them apart.",
                "Give one of them another title, another address or a certificate.",
            )


def internal_network_risk(text: str) -> DeviceRisk | None:
    """What is wrong with a range declared as `networks.internal`; None if nothing. ValueError if it is no network."""
    network = network_of(text)
    if network.prefixlen >= SHORTEST_INTERNAL_PREFIX[network.version]:
        return None
    return DeviceRisk(
        "internal-range-wide",
        f"{text} is declared internal and so wide that callers from the internet would count as internal.",
        "Declare the house's own ranges only.",
    )


def _without_certificate(networks: Sequence[Network], *, forwarding: bool) -> Iterator[DeviceRisk]:
    """The address is all that proves who calls."""
    four, six = count_addresses(networks)
    if four > MAX_ADDRESSES or six > MAX_IPV6_ADDRESSES:
        yield DeviceRisk(
            "device-networks-wide",
            f"It has no certificate and may call from more than {MAX_ADDRESSES} IPv4 addresses or one IPv6 /64.",
            "Name its addresses, or give it a certificate.",
        )
    if forwarding:
        yield DeviceRisk(
            "device-gateway", _GATEWAY_SENTENCE, "Leave that address out, or give the device a certificate."
        )


def _plain_risks(networks: Sequence[Network], internal_networks: Sequence[str]) -> Iterator[DeviceRisk]:
    if len(networks) > MAX_PLAIN_ADDRESSES or not all(map(is_host, networks)):
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


def _listening_risks(device: Device, internal_networks: Sequence[str]) -> Iterator[DeviceRisk]:
    listens = device.listens
    if listens is None:
        return
    try:
        address = address_of(listens.host)
    except ValueError:
        address = None
    if address is not None and belongs_to_no_device(address):
        yield DeviceRisk(
            "listens-nowhere",
            "It would be sent images at a link-local, multicast or unspecified address, which is no device's.",
            "Name the device's own address.",
        )
    elif not listens.tls and address is not None and not plain_source_allowed(listens.host, internal_networks):
        yield DeviceRisk(
            "listens-plain-outside",
            "Images would be sent to it without TLS, to an address that is neither private nor declared internal.",
            "Use TLS, or declare the range under networks.internal.",
        )


def well_formed(device: Device) -> None:
    """Refuse a device that is badly described, safe or not (LeadglassError USAGE)."""
    if not _NAME.fullmatch(device.name):
        raise _usage("A device's name has letters, digits, dots, dashes, underscores; 64 at most.")
    if not device.ae_titles:
        raise _usage("A device needs at least one AE title.")
    titles = [*device.ae_titles, *([device.listens.ae_title] if device.listens else ())]
    if not all(map(is_valid_title, titles)):
        raise _usage("An AE title has 1 to 16 printable ASCII characters, no backslash, no outer spaces.")
    if not device.networks:
        raise _usage("A device needs at least one address or network to call from.")
    for text in device.networks:
        try:
            network_of(text)
        except ValueError:
            raise _usage("That is no address or network (host bits must be zero).") from None
    if device.listens and not (0 < device.listens.port < 65_536 and device.listens.host.strip()):
        raise _usage("Where a device listens needs a host and a port from 1 to 65535.")
    if device.plain and device.passcode_hash:
        raise _usage("A passcode is heard over TLS only: a device with one cannot call plain.")
    if not device.rights <= set(DEVICE_RIGHTS):
        raise _usage("Devices may hold " + ", ".join(right.value for right in DEVICE_RIGHTS) + " and nothing else.")


def _usage(comment: str) -> LeadglassError:
    return LeadglassError(ErrorCode.USAGE, comment)


def _same_proof(one: Device, other: Device) -> bool:
    if one.plain and other.plain:
        return True  # over plain nobody shows a certificate
    if not one.certificates or not other.certificates:
        return not one.certificates and not other.certificates
    return not set(map(_proof, one.certificates)).isdisjoint(map(_proof, other.certificates))


def _proof(certificate: DeviceCertificate) -> tuple[bool, str]:
    return certificate.binding is CertificateBinding.AUTHORITY, certificate.value
