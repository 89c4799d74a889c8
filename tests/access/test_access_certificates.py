"""A presented certificate is a device's only if it is the bound one, or issued to the bound subject by the bound CA,
and in force."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from leadglass.access.authority import Authority, Issued, renewal_due
from leadglass.access.certificates import bind_authority, expiry, matches, pin, trust_anchors
from leadglass.core.device import Device, DeviceCertificate
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import Right
from leadglass.net.tls import server_context

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())
CA_KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_CA_KEY = ec.generate_private_key(ec.SECP256R1())
DAY = timedelta(days=1)


def name(text: str) -> x509.Name:
    return x509.Name.from_rfc4514_string(text) if text else x509.Name([])


def make(
    subject: str = "CN=ct1,O=North",
    issuer: str = "CN=CA",
    signer: Any = CA_KEY,
    *,
    key: Any = KEY,
    begin: datetime = NOW - DAY,
    end: datetime = NOW + DAY,
    ca: bool | None = False,
    usages: list[x509.ObjectIdentifier] | None = None,
    extra: x509.ExtensionType | None = None,
    key_usage: x509.KeyUsage | None = None,
    digest: Any = None,
) -> bytes:
    builder = x509.CertificateBuilder(
        name(issuer), name(subject), key.public_key(), x509.random_serial_number(), begin, end
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    if usages is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    if key_usage is not None:
        builder = builder.add_extension(key_usage, critical=True)
    if extra is not None:
        builder = builder.add_extension(extra, critical=True)
    return builder.sign(signer, digest or hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def usage(**wanted: bool) -> x509.KeyUsage:
    names = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign"
        " encipher_only decipher_only"
    )
    return x509.KeyUsage(**{one: wanted.get(one, False) for one in names.split()})


def authority(**options: Any) -> bytes:
    return make("CN=CA", **{"key": CA_KEY, "ca": True, **options})


def device(*certificates: DeviceCertificate) -> Device:
    return Device("ct1", ("CT1",), ("10.0.0.0/8",), frozenset({Right.STORE}), certificates)


FOREIGN = bind_authority(authority(), "CN=ct1,O=North", NOW)


def der(issued: Issued) -> bytes:
    return ssl.PEM_cert_to_DER_cert(issued.certificate_pem.decode())


def test_a_device_of_a_foreign_ca_is_recognised_by_its_exact_subject() -> None:
    assert matches(make(), device(FOREIGN), NOW)
    assert matches(make(usages=[ExtendedKeyUsageOID.CLIENT_AUTH]), device(FOREIGN), NOW)
    assert matches(make(ca=None), device(FOREIGN), NOW)


@pytest.mark.parametrize(
    "options",
    [
        {"subject": "CN=ct2,O=North"},
        {"subject": "CN=ct1"},
        {"subject": "CN=CT1,O=North"},
        {"subject": "CN=ct1,O=North,C=DE"},
        {"signer": OTHER_CA_KEY},
        {"issuer": "CN=Other"},
        {"signer": KEY, "issuer": "CN=ct1,O=North"},
        {"end": NOW - timedelta(seconds=1)},
        {"begin": NOW + timedelta(seconds=1)},
        {"ca": True},
        {"usages": [ExtendedKeyUsageOID.SERVER_AUTH]},
        {"key_usage": usage(key_agreement=True)},
        {"extra": x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"x")},
        {"key": rsa.generate_private_key(65537, 1024)},
    ],
    ids=",".join,
)
def test_anything_else_of_that_ca_or_another_is_not(options: dict[str, Any]) -> None:
    assert not matches(make(**options), device(FOREIGN), NOW)


@pytest.mark.parametrize(("digest", "admitted"), [("sha256", True), ("sha1", False)])
def test_a_weakly_signed_certificate_is_nobodys(digest: str, admitted: bool) -> None:
    """Both were made by openssl (SHA-1 cannot be had from our own library) under one CA, for a hundred years."""
    data = Path(__file__).parent / "data"
    bound = bind_authority((data / "authority.pem").read_bytes(), "CN=ct1", datetime(2030, 1, 1, tzinfo=UTC))
    leaf = ssl.PEM_cert_to_DER_cert((data / f"signed_{digest}.pem").read_text())
    assert matches(leaf, device(bound), datetime(2030, 1, 1, tzinfo=UTC)) is admitted


def test_a_foreign_ca_that_has_expired_admits_nobody() -> None:
    later = NOW + 2 * DAY
    assert not matches(make(end=later + DAY), device(FOREIGN), later)


@pytest.mark.parametrize(
    "options",
    [
        {"ca": False},
        {"ca": None},
        {"end": NOW - timedelta(hours=1)},
        {"key_usage": usage(digital_signature=True)},
        {"extra": x509.NameConstraints([x509.DNSName("north.example")], None)},
        {"key": rsa.generate_private_key(65537, 1024), "signer": OTHER_CA_KEY},
    ],
    ids=",".join,
)
def test_what_is_no_usable_ca_cannot_be_bound_and_vouches_for_nobody(options: dict[str, Any]) -> None:
    with pytest.raises(LeadglassError):
        bind_authority(authority(**options), "CN=ct1,O=North", NOW)


@pytest.mark.parametrize("subject", ["", "ct1", "=", "CN"])
def test_a_subject_that_is_no_name_cannot_be_bound(subject: str) -> None:
    with pytest.raises(LeadglassError):
        bind_authority(authority(), subject, NOW)


def test_a_pinned_certificate_is_recognised_and_no_other() -> None:
    own = make("CN=us1", "CN=us1", KEY, ca=None)
    pinned = pin(own, NOW)
    assert matches(own, device(pinned), NOW)
    assert not matches(make("CN=us1", "CN=us1", KEY, ca=None), device(pinned), NOW)
    assert not matches(own, device(pinned), NOW + 2 * DAY)
    assert not matches(own, device(), NOW)
    assert expiry(pinned) == NOW + DAY
    assert pin(pinned.authority.encode(), NOW) == pinned


@pytest.mark.parametrize(
    "data",
    [
        b"",
        make().replace(bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06072a8648ce3d0209")),
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        make(end=NOW - timedelta(hours=1)),
        make(usages=[ExtendedKeyUsageOID.SERVER_AUTH]),
        make(key=rsa.generate_private_key(65537, 1024)),
        make(ca=True),
    ],
)
def test_what_cannot_be_a_devices_certificate_is_not_pinned(data: bytes) -> None:
    with pytest.raises(LeadglassError) as caught:
        pin(data, NOW)
    assert caught.value.code is ErrorCode.USAGE


WHOLE = make()


@given(
    st.binary(max_size=200)
    | st.builds(lambda cut: WHOLE[:cut], st.integers(0, len(WHOLE) - 1))
    | st.builds(
        lambda place, flip: WHOLE[:place] + bytes([WHOLE[place] ^ flip]) + WHOLE[place + 1 :],
        st.integers(0, len(WHOLE) - 1),
        st.integers(1, 255),
    )
)
def test_hostile_bytes_are_nobodys_certificate(data: bytes) -> None:
    assert matches(WHOLE, device(FOREIGN), NOW)
    assert not matches(data, device(FOREIGN), NOW)


def test_our_ca_survives_its_seal_and_nothing_else_opens_it() -> None:
    own = Authority.create("archive 1", NOW)
    sealed = own.seal(bytes(32))
    assert Authority.open(sealed, bytes(32)).pem == own.pem
    assert "PRIVATE" not in sealed
    other = Authority.create("archive 2", NOW).seal(bytes(32))
    swapped = sealed[: sealed.index('"key"')] + other[other.index('"key"') :]
    for text, key in ((sealed, bytes(31) + b"1"), (swapped, bytes(32)), ("", bytes(32)), ("[]", bytes(32))):
        with pytest.raises(LeadglassError) as caught:
            Authority.open(text, key)
        assert caught.value.code is ErrorCode.DAMAGED


def test_an_issued_certificate_is_its_devices_and_expires() -> None:
    own = Authority.create("a", NOW)
    one, two = own.issue_device("ct1", NOW), own.issue_device("ct1", NOW)
    assert matches(der(one), device(one.binding()), NOW)
    assert not matches(der(two), device(one.binding()), NOW)
    assert not matches(der(one), device(one.binding()), one.not_after + timedelta(seconds=1))
    assert not renewal_due(one.not_after, NOW)
    assert renewal_due(one.not_after, one.not_after - 60 * DAY)


def request(key: Any, **options: Any) -> bytes:
    builder = x509.CertificateSigningRequestBuilder(name("CN=Leadglass CA a"))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("archive.example")]), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(options.get("encoding", serialization.Encoding.PEM))


@pytest.mark.parametrize("encoding", [serialization.Encoding.PEM, serialization.Encoding.DER])
def test_of_a_request_only_the_key_is_taken(encoding: serialization.Encoding) -> None:
    own = Authority.create("a", NOW)
    issued = own.sign_request(request(KEY, encoding=encoding), "mr1", NOW)
    certificate = x509.load_pem_x509_certificate(issued.certificate_pem)
    assert certificate.subject.rfc4514_string() == "CN=mr1"
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    with pytest.raises(x509.ExtensionNotFound):
        certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert certificate.public_key() == KEY.public_key()
    assert issued.key_pem == b""
    assert matches(der(issued), device(issued.binding()), NOW)


def test_a_weak_forged_or_garbled_request_is_refused() -> None:
    own = Authority.create("a", NOW)
    good = request(KEY, encoding=serialization.Encoding.DER)
    forged = good[:-1] + bytes([good[-1] ^ 1])
    for data in (b"", b"-----BEGIN X-----", forged, request(rsa.generate_private_key(65537, 1024))):
        with pytest.raises(LeadglassError) as caught:
            own.sign_request(data, "mr1", NOW)
        assert caught.value.code is ErrorCode.USAGE


def test_key_and_certificate_leave_under_a_password_only() -> None:
    issued = Authority.create("a", NOW).issue_device("ct1", NOW)
    assert "PRIVATE" not in repr(issued)
    key, certificate, chain = pkcs12.load_key_and_certificates(
        issued.as_pkcs12("ct1", "correct horse"), b"correct horse"
    )
    assert key is not None and certificate is not None and len(chain) == 1
    serialization.load_pem_private_key(issued.as_encrypted_pem("correct horse"), b"correct horse")
    exports: list[Callable[[str], bytes]] = [lambda word: issued.as_pkcs12("ct1", word), issued.as_encrypted_pem]
    for export in exports:
        with pytest.raises(LeadglassError):
            export("short")


def test_the_server_certificate_names_its_addresses_and_ends_with_its_ca() -> None:
    own = Authority.create("a", NOW)
    issued = own.issue_server(["10.0.0.1", "pacs.example", "::1"], own.not_after - DAY)
    certificate = x509.load_pem_x509_certificate(issued.certificate_pem)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["pacs.example"]
    assert [str(item) for item in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1", "::1"]
    assert issued.not_after == own.not_after
    with pytest.raises(LeadglassError):
        own.issue_server(["pacs.example"], own.not_after)
    with pytest.raises(LeadglassError):
        own.issue_server([], NOW)


def handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> bytes | None:
    """TLS in memory; the client's certificate as the server sees it."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = server.wrap_bio(to_server, to_client, server_side=True)
    other = client.wrap_bio(to_client, to_server, server_hostname="pacs.example")
    for side in (other, one, other, one, other, one):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return one.getpeercert(binary_form=True)


def test_tls_lets_through_what_matches_then_judges(tmp_path: Any) -> None:
    now = datetime.now(UTC)
    own = Authority.create("a", now)
    served, issued = own.issue_server(["pacs.example"], now), own.issue_device("ct1", now)
    pinned_der = make("CN=us1", "CN=us1", KEY, ca=None, begin=now - DAY, end=now + DAY)
    pinned_key = KEY.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pinned = pin(pinned_der, now)
    anchors = trust_anchors([device(pinned), device(issued.binding())], own.pem)
    server = server_context(served.chain_pem, served.key_pem, client_authorities=anchors)
    for pem, key, bound in (
        (issued.certificate_pem, issued.key_pem, issued.binding()),
        (pinned.authority.encode(), pinned_key, pinned),
    ):
        path = tmp_path / "client.pem"
        path.write_bytes(pem + key)
        client = ssl.create_default_context(cadata=own.pem.decode())
        client.load_cert_chain(path)
        presented = handshake(server, client)
        assert presented is not None and matches(presented, device(bound), now)


def test_disabled_devices_anchor_no_trust() -> None:
    pinned = pin(make("CN=us1", "CN=us1", KEY, ca=None), NOW)
    off = Device("us1", ("US1",), ("10.0.0.1",), frozenset(), (pinned,), enabled=False)
    assert trust_anchors([off], b"") == b""
