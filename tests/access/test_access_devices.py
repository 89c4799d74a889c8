"""What would open the archive is not enrolled, and the refusal names risk and mend."""

from __future__ import annotations

from dataclasses import replace

import pytest

from leadglass.access.devices import checked, device_risks, internal_network_risk
from leadglass.core.device import CertificateBinding, Device, DeviceCertificate, Endpoint
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import Right

GATEWAYS = ("172.17.0.1", "10.0.0.1", "10.88.0.0/16")
INTERNAL = ("203.0.113.0/24",)
PINNED = (DeviceCertificate(CertificateBinding.PINNED, "ab"),)
CT = Device("ct1", ("CT1",), ("10.0.0.16/28",), frozenset({Right.STORE, Right.ECHO}))


def risks(**changes: object) -> set[str]:
    return {risk.name for risk in device_risks(replace(CT, **changes), GATEWAYS, INTERNAL)}  # type: ignore[arg-type]


def hosts(count: int, first: int = 16) -> tuple[str, ...]:
    return tuple(f"10.0.2.{first + number}" for number in range(count))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"networks": ("10.0.2.0/24",)},
        {"networks": ("10.0.2.0/25", "10.0.2.128/25", "10.0.2.7")},
        {"networks": ("fd00:1::/64",)},
        {"networks": ("fd00:1::/65", "fd00:1:0:0:8000::/65", "10.0.2.0/24")},
        {"networks": ("0.0.0.0/0", "::/0"), "certificates": PINNED},
        {"networks": hosts(16), "plain": True},
        {"networks": ("127.0.0.1", "::1", "203.0.113.9"), "plain": True},
        {"networks": ("::ffff:10.0.2.7",), "plain": True},
        {"listens": Endpoint("10.0.2.7", 104, "CT1", False)},
        {"listens": Endpoint("ct1.example", 2762, "CT1", True)},
        {"listens": Endpoint("8.8.8.8", 2762, "CT1", True)},
    ],
)
def test_safe_devices(changes: dict[str, object]) -> None:
    assert risks(**changes) == set()
    checked(replace(CT, **changes), GATEWAYS, INTERNAL, [])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"networks": ("10.0.2.0/23",)}, "device-networks-wide"),
        ({"networks": ("10.0.2.0/24", "10.0.3.0")}, "device-networks-wide"),
        ({"networks": ("::ffff:10.0.2.0/119",)}, "device-networks-wide"),
        ({"networks": ("fd00:1::/63",)}, "device-networks-wide"),
        ({"networks": ("fd00:1::/64", "fd00:2::1")}, "device-networks-wide"),
        ({"networks": ("10.0.0.0/28",)}, "device-gateway"),
        ({"networks": ("172.17.0.1",)}, "device-gateway"),
        ({"networks": ("10.88.3.4",)}, "device-gateway"),
        ({"networks": ("10.88.3.4",), "plain": True}, "device-gateway"),
        ({"networks": ("10.88.3.4",), "plain": True, "certificates": PINNED}, "plain-gateway"),
        ({"networks": hosts(17), "plain": True}, "plain-range"),
        ({"networks": ("10.0.2.0/31",), "plain": True}, "plain-range"),
        ({"networks": ("10.0.2.0/31",), "plain": True, "certificates": PINNED}, "plain-range"),
        ({"networks": ("8.8.8.8",), "plain": True}, "plain-outside"),
        ({"networks": ("100.64.0.1",), "plain": True}, "plain-outside"),
        ({"networks": ("fe80::1",), "plain": True}, "plain-outside"),
        ({"networks": ("::ffff:8.8.8.8",), "plain": True}, "plain-outside"),
        ({"listens": Endpoint("169.254.169.254", 80, "X", True)}, "listens-nowhere"),
        ({"listens": Endpoint("0.0.0.0", 104, "X", True)}, "listens-nowhere"),
        ({"listens": Endpoint("8.8.8.8", 104, "X", False)}, "listens-plain-outside"),
    ],
)
def test_unsafe_devices(changes: dict[str, object], expected: str) -> None:
    assert expected in risks(**changes)
    with pytest.raises(LeadglassError) as caught:
        checked(replace(CT, **changes), GATEWAYS, INTERNAL, [])  # type: ignore[arg-type]
    assert caught.value.code is ErrorCode.UNSAFE
    assert caught.value.comment.count(".") >= 2  # a sentence for the risk, one for the mend


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "../x"},
        {"name": "a" * 65},
        {"ae_titles": ()},
        {"ae_titles": ("CT1", "")},
        {"ae_titles": ("A" * 17,)},
        {"ae_titles": (" CT1",)},
        {"ae_titles": ("CT\\1",)},
        {"ae_titles": ("CT\n",)},
        {"ae_titles": ("CTÄ",)},
        {"networks": ()},
        {"networks": ("10.0.0.1/24",)},
        {"networks": ("ct1.example",)},
        {"listens": Endpoint("10.0.0.9", 0, "CT1", True)},
        {"listens": Endpoint("", 104, "CT1", True)},
        {"listens": Endpoint("10.0.0.9", 104, "A" * 17, True)},
        {"rights": frozenset({Right.DELETE})},
    ],
)
def test_badly_described_devices(changes: dict[str, object]) -> None:
    with pytest.raises(LeadglassError) as caught:
        checked(replace(CT, **changes), GATEWAYS, INTERNAL, [])  # type: ignore[arg-type]
    assert caught.value.code is ErrorCode.USAGE


def authority(subject: str) -> tuple[DeviceCertificate, ...]:
    return (DeviceCertificate(CertificateBinding.AUTHORITY, subject, "PEM"),)


@pytest.mark.parametrize(
    ("changes", "confused"),
    [
        ({}, True),
        ({"ae_titles": ("X", "CT1")}, True),
        ({"networks": ("10.0.3.1", "10.0.0.16/28")}, True),
        ({"networks": ("::ffff:10.0.0.16/124",)}, True),
        ({"ae_titles": ("CT2",)}, False),
        ({"networks": ("10.0.0.17",)}, False),
        ({"certificates": PINNED}, False),
        ({"name": "ct1", "ae_titles": ("CT1", "X")}, False),
    ],
)
def test_devices_that_nothing_tells_apart_are_not_enrolled(changes: dict[str, object], confused: bool) -> None:
    other = replace(CT, **{"name": "ct2", **changes})  # type: ignore[arg-type]
    if confused:
        with pytest.raises(LeadglassError) as caught:
            checked(CT, GATEWAYS, INTERNAL, [other])
        assert caught.value.code is ErrorCode.UNSAFE
        assert "ct2" in caught.value.comment
    else:
        checked(CT, GATEWAYS, INTERNAL, [other])


@pytest.mark.parametrize(
    ("one", "other", "confused"),
    [
        (PINNED, PINNED, True),
        (authority("CN=a"), authority("CN=a"), True),
        (authority("CN=a"), authority("CN=b"), False),
        (authority("CN=a"), PINNED, False),
        (PINNED, (DeviceCertificate(CertificateBinding.PINNED, "cd"),), False),
    ],
)
def test_certificates_tell_devices_apart(
    one: tuple[DeviceCertificate, ...], other: tuple[DeviceCertificate, ...], confused: bool
) -> None:
    first, second = replace(CT, certificates=one), replace(CT, name="ct2", certificates=other)
    if confused:
        with pytest.raises(LeadglassError):
            checked(first, GATEWAYS, INTERNAL, [second])
    else:
        checked(first, GATEWAYS, INTERNAL, [second])


def test_over_plain_certificates_tell_nobody_apart() -> None:
    first = replace(CT, networks=("10.0.0.20",), plain=True, certificates=PINNED)
    with pytest.raises(LeadglassError):
        checked(first, GATEWAYS, INTERNAL, [replace(first, name="ct2", certificates=())])


@pytest.mark.parametrize(
    ("text", "wide"), [("0.0.0.0/0", True), ("::/0", True), ("8.0.0.0/7", True), ("193.0.0.0/8", False)]
)
def test_the_internet_cannot_be_declared_internal(text: str, wide: bool) -> None:
    assert (internal_network_risk(text) is not None) is wide
