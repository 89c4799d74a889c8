"""Whether a caller is an enrolled device. Pure: everything it looks at is handed in.

| caller                                              | answer                                              |
|-----------------------------------------------------|-----------------------------------------------------|
| plain, from a global, CGNAT or link-local address   | refused 1/1/3, alarm (the listener drops it before) |
| plain, from this host's own gateway or bridge       | refused 1/1/3: forwarded ports arrive from there    |
| no device has this address and this calling title   | refused 1/1/3, whatever it called                   |
| plain, and the device is not `plain`                | refused 1/1/3                                       |
| certificate bound, and this one is not the device's | refused 1/1/3 (expired ones are nobody's)           |
| no certificate, from this host's gateway or bridge  | refused 1/1/3, over TLS too                         |
| two devices fit equally well                        | refused 1/1/3 (enrolment does not let it come so far)|
| the device that fits best is disabled               | refused 1/1/3: no lesser one takes its place        |
| passcode set, and not carried by type 2 over TLS    | refused 1/1/3                                       |
| enrolled, but the called title is not ours          | refused 1/1/7: told to enrolled devices only        |
| otherwise                                           | admitted; over plain with echo and store only       |

AE titles alone never admit: a device is looked for by address first. Best fits who proved it by certificate, then who
has the narrowest network. Titles are compared case-sensitively after outer spaces and NULs are taken off (PS3.8 9.3.2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from leadglass.access.addresses import Address, address_of, contained, narrowest, plain_source_allowed
from leadglass.access.titles import plain_title
from leadglass.core.device import CertificateBinding, Device
from leadglass.core.principal import Principal, PrincipalKind, Right

PLAIN_RIGHTS = frozenset({Right.ECHO, Right.STORE})
NOT_RECOGNISED = (1, 1, 3)  # permanent, service user, calling AE title not recognised
WRONG_CALLED_TITLE = (1, 1, 7)

Matches = Callable[[bytes, Device], bool]
"""Whether a presented certificate (DER) is one of the device's."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. Titles as they came; `certificate` is DER, already verified by TLS to a trusted issuer or pin."""

    address: str
    calling_title: str
    called_title: str
    tls: bool
    certificate: bytes | None = None
    passcode: bytes | None = field(default=None, repr=False)  # user identity type 2


@dataclass(frozen=True, slots=True)
class Rules:
    """What the archive itself brings to a decision."""

    ae_titles: tuple[str, ...]
    internal_networks: tuple[str, ...] = ()
    own_gateways: tuple[str, ...] = ()
    plain_retrieve: frozenset[str] = frozenset()  # names of devices with the override in force


@dataclass(frozen=True, slots=True)
class Admitted:
    """An enrolled device, and the principal it acts as."""

    device: Device
    principal: Principal


@dataclass(frozen=True, slots=True)
class Refused:
    """The wire's own reason (PS3.8 table 9-21), and the cause for the journal."""

    result: int
    source: int
    reason: int
    cause: str
    device: str = ""


def title_of(raw: str) -> str:
    """An AE title as it is compared."""
    return plain_title(raw)


def identify(
    caller: Caller,
    devices: Sequence[Device],
    rules: Rules,
    matches: Matches,
    passcode_fits: Callable[[bytes, str], bool],
) -> Admitted | Refused:
    """Decide on a caller; see the table above. `passcode_fits(passcode, hash)` may be slow, so it is asked last."""
    chosen = _recognised(caller, devices, rules, matches)
    if isinstance(chosen, Refused):
        return chosen
    if chosen.passcode_hash and not _passcode_given(caller, chosen, passcode_fits):
        return _refused("passcode", chosen.name)
    if title_of(caller.called_title) not in rules.ae_titles:
        return Refused(*WRONG_CALLED_TITLE, "called-title", chosen.name)
    return Admitted(chosen, _principal(caller, chosen, title_of(caller.calling_title), rules))


def _recognised(caller: Caller, devices: Sequence[Device], rules: Rules, matches: Matches) -> Device | Refused:
    """The one device that the caller is by address, title and certificate."""
    if not caller.tls and not plain_source_allowed(caller.address, rules.internal_networks):
        return _refused("plain-from-outside")
    address = address_of(caller.address)
    from_gateway = contained(address, rules.own_gateways)
    if not caller.tls and from_gateway:
        return _refused("plain-from-gateway")
    here = [device for device in devices if contained(address, device.networks)]
    title = title_of(caller.calling_title)
    named = [device for device in here if title in device.ae_titles]
    if not named:
        return _refused("unknown-title" if here else "unknown-address")
    causes = [_unfit(caller, device, matches, from_gateway=from_gateway) for device in named]
    fitting = [device for device, cause in zip(named, causes, strict=True) if not cause]
    if not fitting:
        return _refused(causes[0], named[0].name)
    return _best(fitting, address, by_certificate=caller.tls)


def rights_of(device: Device, *, tls: bool, rules: Rules) -> frozenset[Right]:
    """What a device may do: over plain echo and store, and find and retrieve only with its override in force."""
    if tls:
        return device.rights
    allowed = PLAIN_RIGHTS | {Right.RECEIVE}
    if device.name in rules.plain_retrieve:
        allowed |= {Right.FIND, Right.RETRIEVE}
    return device.rights & allowed


def _unfit(caller: Caller, device: Device, matches: Matches, *, from_gateway: bool) -> str:
    """Why this device is not the caller; empty if it may be."""
    if not caller.tls:
        return "" if device.plain else "plain-not-allowed"
    if device.certificates:
        return "" if caller.certificate is not None and matches(caller.certificate, device) else "certificate"
    return "gateway" if from_gateway else ""


def _best(devices: Sequence[Device], address: Address, *, by_certificate: bool) -> Device | Refused:
    """Who has shown a certificate before who has none, then the narrowest network; a tie is nobody."""

    def rank(device: Device) -> tuple[int, int]:
        return (_strength(device) if by_certificate else 0), narrowest(address, device.networks)

    ranked = sorted(devices, key=rank, reverse=True)
    best = ranked[0]
    if len(ranked) > 1 and rank(ranked[1]) == rank(best):
        return _refused("ambiguous", best.name)
    return best if best.enabled else _refused("disabled", best.name)


def _strength(device: Device) -> int:
    """A certificate of its own says more than one of many under a CA, and that more than none."""
    if not device.certificates:
        return 0
    return 1 if any(item.binding is CertificateBinding.AUTHORITY for item in device.certificates) else 2


def _passcode_given(caller: Caller, device: Device, fits: Callable[[bytes, str], bool]) -> bool:
    return caller.tls and caller.passcode is not None and fits(caller.passcode, device.passcode_hash)


def _principal(caller: Caller, device: Device, title: str, rules: Rules) -> Principal:
    return Principal(
        PrincipalKind.DEVICE,
        device.name,
        rights_of(device, tls=caller.tls, rules=rules),
        caller.address,
        title,
        caller.tls,
        device.institution,
    )


def _refused(cause: str, device: str = "") -> Refused:
    return Refused(*NOT_RECOGNISED, cause, device)


REFUSAL_HINTS: Mapping[str, str] = {
    "unknown-address": "nobody is enrolled from this address",
    "unknown-title": "a device is enrolled from this address, with another AE title",
    "plain-from-outside": "plain DICOM from a public address",
    "plain-from-gateway": "plain DICOM from this machine's own gateway or bridge: a forwarded port?",
    "gateway": "without a certificate, from this machine's own gateway or bridge: a forwarded port or proxy?",
    "ambiguous": "two devices have this title from this address",
    "disabled": "the device is disabled",
    "plain-not-allowed": "the device must use TLS",
    "certificate": "the certificate is missing, not the device's, or expired",
    "passcode": "the passcode is missing or wrong",
    "called-title": "the called AE title is not one of this archive's",
}
