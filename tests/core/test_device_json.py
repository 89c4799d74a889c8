"""A device survives its JSON form whole, and nothing that is not a device becomes one."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest

from leadglass.core.device import CertificateBinding, Device, DeviceCertificate, DuplicatePolicy, Endpoint
from leadglass.core.device_json import device_from_dict, device_to_dict
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import Right

SMALL = Device("ct", ("CT1",), ("10.0.0.1",), frozenset({Right.STORE}))
FULL = Device(
    name="us",
    ae_titles=("US1", "US2"),
    networks=("10.0.0.0/30", "fd00::1"),
    rights=frozenset({Right.STORE, Right.ECHO}),
    certificates=(
        DeviceCertificate(CertificateBinding.AUTHORITY, "CN=x", authority="PEM"),
        DeviceCertificate(CertificateBinding.PINNED, "ab", not_after="2027-01-01T00:00:00Z"),
    ),
    listens=Endpoint("10.0.0.2", 104, "US1", False),
    destinations=("ct",),
    issuer="HOSP",
    institution="North",
    character_set="ISO_IR 192",
    transfer_syntaxes=("1.2.840.10008.1.2",),
    private_sop_classes=("1.2.3",),
    query_limit=7,
    idle_timeout=12.5,
    max_associations=3,
    duplicates=DuplicatePolicy.REFUSE,
    passcode_hash="$argon2id$x",
    plain=True,
    enabled=False,
    sample=True,
)


@pytest.mark.parametrize("device", [SMALL, FULL])
def test_json_round_trip(device: Device) -> None:
    assert device_from_dict(json.loads(json.dumps(device_to_dict(device)))) == device


def test_every_field_is_written_and_differs_from_its_default_in_the_full_device() -> None:
    assert device_to_dict(FULL).keys() == {field.name for field in fields(Device)}
    assert all(getattr(FULL, field.name) != getattr(SMALL, field.name) for field in fields(Device))


def test_missing_optional_fields_take_their_defaults() -> None:
    plain = device_to_dict(replace(SMALL))
    small = {name: plain[name] for name in ("name", "ae_titles", "networks", "rights")}
    assert device_from_dict(small) == SMALL


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", 3),
        ("ae_titles", "CT1"),
        ("ae_titles", [1]),
        ("rights", ["own-everything"]),
        ("rights", [["store"]]),
        ("plain", 1),
        ("query_limit", True),
        ("idle_timeout", "5"),
        ("duplicates", "maybe"),
        ("certificates", [{"binding": "pinned"}]),
        ("certificates", ["x"]),
        ("listens", {"host": "h", "port": "104", "ae_title": "A", "tls": False}),
        ("listens", {"host": "h", "port": 104, "ae_title": "A", "tls": "no"}),
        ("only_on_sundays", True),
    ],
)
def test_anything_else_is_refused(name: str, value: object) -> None:
    with pytest.raises(LeadglassError) as caught:
        device_from_dict({**device_to_dict(SMALL), name: value})
    assert caught.value.code is ErrorCode.DAMAGED
