"""No caller is a device without the device's address, title and certificate; the answer tells strangers nothing."""

from __future__ import annotations

import string
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass.access.addresses import plain_source_allowed
from leadglass.access.policy import REFUSAL_HINTS, Admitted, Caller, Refused, Rules, identify
from leadglass.core.device import CertificateBinding, Device, DeviceCertificate
from leadglass.core.principal import DEVICE_RIGHTS, Right

RULES = Rules(("LEADGLASS", "OLDPACS"), own_gateways=("172.17.0.1", "10.0.0.254"))
ALL = frozenset(DEVICE_RIGHTS)
CERTIFICATE = b"certificate of ct1"
BOUND = (DeviceCertificate(CertificateBinding.PINNED, "certificate of ct1"),)
CT = Device("ct1", ("CT1",), ("10.0.0.0/28",), ALL)
PLAIN = Device("old", ("OLD",), ("10.0.0.7",), ALL, plain=True)
SECURE = replace(CT, name="secure", certificates=BOUND)


def matches(der: bytes, device: Device) -> bool:
    return any(der.decode("latin-1") == item.value for item in device.certificates)


def decide(devices: list[Device], rules: Rules = RULES, **caller: object) -> Admitted | Refused:
    options = {"address": "10.0.0.5", "calling_title": "CT1", "called_title": "LEADGLASS", "tls": True, **caller}
    return identify(Caller(**options), devices, rules, matches, lambda given, kept: given.decode() == kept)  # type: ignore[arg-type]


def cause(devices: list[Device], rules: Rules = RULES, **caller: object) -> str:
    decision = decide(devices, rules, **caller)
    assert isinstance(decision, Refused)
    expected = (1, 1, 7) if decision.cause == "called-title" else (1, 1, 3)
    assert (decision.result, decision.source, decision.reason) == expected
    assert decision.cause in REFUSAL_HINTS
    return decision.cause


def name(devices: list[Device], rules: Rules = RULES, **caller: object) -> str:
    decision = decide(devices, rules, **caller)
    assert isinstance(decision, Admitted), decision
    return decision.device.name


def test_address_and_title_together_admit() -> None:
    decision = decide([CT])
    assert isinstance(decision, Admitted)
    principal = decision.principal
    assert (principal.name, principal.address, principal.ae_title) == ("ct1", "10.0.0.5", "CT1")
    assert principal.secured
    assert principal.rights == ALL


@pytest.mark.parametrize(
    ("caller", "expected"),
    [
        ({"calling_title": "CT2"}, "unknown-title"),
        ({"calling_title": "ct1"}, "unknown-title"),
        ({"calling_title": "CT1\0X"}, "unknown-title"),
        ({"calling_title": ""}, "unknown-title"),
        ({"calling_title": " " * 16}, "unknown-title"),
        ({"address": "10.0.0.16"}, "unknown-address"),
        ({"address": "127.0.0.1"}, "unknown-address"),
        ({"address": "::1"}, "unknown-address"),
        ({"called_title": "OTHER"}, "called-title"),
        ({"called_title": "leadglass"}, "called-title"),
        ({"called_title": ""}, "called-title"),
        ({"tls": False}, "plain-not-allowed"),
    ],
)
def test_refusals(caller: dict[str, object], expected: str) -> None:
    assert cause([CT], **caller) == expected


@pytest.mark.parametrize("title", ["../secret/X", ";rm -rf", "`id`", " " * 16, "ÄÖ", "\x1b[0m", "%s%n", "CT1'--"])
def test_hostile_titles_are_just_unknown(title: str) -> None:
    assert cause([CT], calling_title=title) == "unknown-title"
    assert cause([CT], called_title=title) == "called-title"


@pytest.mark.parametrize("title", [" CT1", "CT1             ", "CT1\0\0\0", " \0CT1\0 "])
def test_outer_spaces_and_nuls_do_not_count(title: str) -> None:
    assert name([CT], calling_title=title, called_title=" OLDPACS\0") == "ct1"


@pytest.mark.parametrize("called", ["LEADGLASS", "OTHER", ""])
def test_strangers_hear_the_same_whatever_they_call(called: str) -> None:
    for caller in ({"calling_title": "X"}, {"address": "192.168.1.1"}, {"tls": False}):
        decision = decide([CT, SECURE], called_title=called, **caller)
        assert isinstance(decision, Refused)
        assert (decision.result, decision.source, decision.reason) == (1, 1, 3)


def test_ipv4_in_ipv6_is_ipv4_on_both_sides() -> None:
    assert name([CT], address="::ffff:10.0.0.5") == "ct1"
    assert name([replace(CT, networks=("::ffff:10.0.0.0/124",))]) == "ct1"
    assert name([replace(CT, networks=("fe80::/64",))], address="fe80::1%eth0") == "ct1"


def test_a_certificate_that_is_bound_must_be_shown() -> None:
    assert cause([SECURE]) == "certificate"
    assert cause([SECURE], certificate=b"another") == "certificate"
    assert name([SECURE], certificate=CERTIFICATE) == "secure"
    assert cause([SECURE], certificate=CERTIFICATE, calling_title="X") == "unknown-title"
    assert cause([SECURE], certificate=CERTIFICATE, address="10.9.9.9") == "unknown-address"
    assert cause([SECURE], certificate=CERTIFICATE, tls=False) == "plain-not-allowed"


def test_devices_share_a_title_and_the_most_specific_is_meant() -> None:
    near = replace(CT, name="near", networks=("10.0.0.5",))
    for devices in ([CT, near, SECURE], [SECURE, near, CT]):
        assert name(devices) == "near"
        assert name(devices, address="10.0.0.6") == "ct1"
        assert name(devices, certificate=CERTIFICATE) == "secure"


def test_a_tie_is_nobody() -> None:
    assert cause([CT, replace(CT, name="twin")]) == "ambiguous"


def test_no_lesser_device_takes_the_place_of_a_disabled_one() -> None:
    assert cause([replace(CT, enabled=False)]) == "disabled"
    assert cause([CT, replace(CT, name="near", networks=("10.0.0.5",), enabled=False)]) == "disabled"
    assert cause([CT, replace(SECURE, enabled=False)], certificate=CERTIFICATE) == "disabled"


def test_over_plain_a_device_echoes_and_stores() -> None:
    caller = {"address": "10.0.0.7", "calling_title": "OLD", "tls": False}
    decision = decide([PLAIN], **caller)
    assert isinstance(decision, Admitted)
    assert not decision.principal.secured
    assert decision.principal.rights & {Right.FIND, Right.RETRIEVE, Right.COMMIT} == set()
    assert {Right.ECHO, Right.STORE} <= decision.principal.rights
    overridden = decide([PLAIN], replace(RULES, plain_retrieve=frozenset({"old"})), **caller)
    assert isinstance(overridden, Admitted)
    assert {Right.FIND, Right.RETRIEVE} <= overridden.principal.rights
    other = decide([PLAIN], replace(RULES, plain_retrieve=frozenset({"ct1"})), **caller)
    assert isinstance(other, Admitted)
    assert Right.FIND not in other.principal.rights


def test_plain_from_gateways_and_from_outside_is_refused_whoever_is_enrolled() -> None:
    anywhere = replace(PLAIN, networks=("0.0.0.0/0", "::/0"))
    caller = {"calling_title": "OLD", "tls": False}
    assert cause([anywhere], address="172.17.0.1", **caller) == "plain-from-gateway"
    assert cause([anywhere], address="::ffff:10.0.0.254", **caller) == "plain-from-gateway"
    for outside in (
        "8.8.8.8",
        "100.64.0.1",
        "169.254.1.1",
        "fe80::1%2",
        "2001:db8::1",
        "::ffff:8.8.8.8",
        "0.0.0.0",
        "",
    ):
        assert cause([anywhere], address=outside, **caller) == "plain-from-outside"


def test_without_certificate_nobody_is_a_device_through_a_gateway() -> None:
    wide = replace(CT, networks=("10.0.0.0/24",))
    assert cause([wide], address="10.0.0.254") == "gateway"
    assert name([replace(wide, certificates=BOUND)], address="10.0.0.254", certificate=CERTIFICATE) == "ct1"


def test_a_passcode_must_come_over_tls() -> None:
    locked = replace(CT, passcode_hash="open sesame")
    assert cause([locked]) == "passcode"
    assert cause([locked], passcode=b"open") == "passcode"
    assert cause([locked], called_title="OTHER", passcode=b"wrong") == "passcode"  # no oracle before it is right
    assert name([locked], passcode=b"open sesame") == "ct1"
    old = replace(PLAIN, passcode_hash="open sesame")
    assert cause([old], address="10.0.0.7", calling_title="OLD", tls=False, passcode=b"open sesame") == "passcode"
    assert "sesame" not in repr(Caller("", "", "", True, None, b"open sesame"))


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("10.1.2.3", True),
        ("172.31.255.255", True),
        ("172.32.0.0", False),
        ("192.168.0.1", True),
        ("fd00::1", True),
        ("::ffff:192.168.0.1", True),
        ("::ffff:1.1.1.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("fe80::1", False),
        ("2606:4700::1111", False),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::1", False),
        ("192.0.2.1", False),
        ("198.51.100.7", True),
        ("224.0.0.1", False),
        ("nonsense", False),
    ],
)
def test_plain_sources(address: str, allowed: bool) -> None:
    assert plain_source_allowed(address, ("198.51.100.0/24",)) is allowed


titles = st.text(string.printable + "\0é", max_size=18)
addresses = st.ip_addresses().map(str) | st.builds(lambda last: f"10.0.0.{last}", st.integers(0, 255))
networks = st.builds(lambda last: f"10.0.0.{last}/32", st.integers(0, 255)) | st.sampled_from(
    ["10.0.0.0/24", "10.0.0.0/28", "0.0.0.0/0", "fd00::/64", "127.0.0.0/8", "::/0"]
)
devices_made = st.builds(
    Device,
    st.sampled_from(["a", "b", "c"]),
    st.lists(st.sampled_from(["CT1", "MR1", "US1"]), min_size=1, max_size=2).map(tuple),
    st.lists(networks, min_size=1, max_size=3).map(tuple),
    st.frozensets(st.sampled_from(DEVICE_RIGHTS)),
    certificates=st.sampled_from([(), BOUND]),
    passcode_hash=st.sampled_from(["", "open"]),
    plain=st.booleans(),
    enabled=st.booleans(),
)
callers = st.builds(
    Caller,
    addresses,
    titles | st.sampled_from(["CT1", " MR1", "US1\0"]),
    titles | st.sampled_from(["LEADGLASS"]),
    st.booleans(),
    st.sampled_from([None, CERTIFICATE, b"other"]),
    st.sampled_from([None, b"open", b"shut"]),
)


@given(st.lists(devices_made, max_size=5), callers)
def test_whoever_is_admitted_fits_in_every_respect(devices: list[Device], caller: Caller) -> None:
    import ipaddress

    decision = identify(caller, devices, RULES, matches, lambda given, kept: given.decode() == kept)
    if isinstance(decision, Refused):
        assert (decision.result, decision.source, decision.reason) in ((1, 1, 3), (1, 1, 7))
        return
    device = decision.device
    address = ipaddress.ip_address(caller.address)
    address = getattr(address, "ipv4_mapped", None) or address
    assert any(address in ipaddress.ip_network(text) for text in device.networks)
    assert caller.calling_title.strip(" \0") in device.ae_titles
    assert caller.called_title.strip(" \0") in RULES.ae_titles
    assert device.enabled
    assert decision.principal.rights <= device.rights
    if caller.tls:
        assert not device.certificates or caller.certificate == CERTIFICATE
        assert not device.passcode_hash or caller.passcode == b"open"
    else:
        assert device.plain and not device.passcode_hash and not address.is_global
        assert not decision.principal.rights & {Right.FIND, Right.RETRIEVE, Right.COMMIT}


@given(st.lists(devices_made, max_size=5), callers, titles)
def test_no_title_admits_from_an_address_that_nobody_is_enrolled_from(
    devices: list[Device], caller: Caller, called: str
) -> None:
    here = [replace(device, networks=("10.0.0.0/24",)) for device in devices]
    for calling in ("CT1", "MR1", "US1", caller.calling_title):
        outside = replace(caller, address="10.0.1.1", calling_title=calling, called_title=called)
        decision = identify(outside, here, RULES, matches, lambda given, kept: True)
        assert isinstance(decision, Refused)
        assert (decision.result, decision.source, decision.reason) == (1, 1, 3)
