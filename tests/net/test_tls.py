"""TLS by PS3.15 B.12 and B.13 (adversarial A16): without proof nobody reaches DICOM, and nobody else waits."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any, NamedTuple

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.net.dialer import DialOptions, open_association
from leadglass.net.handler import CloseReason, HandlerDefaults
from leadglass.net.tls import ClientCertificates, RenewableContext, client_context, server_context
from leadglass.wire.ul.codec import encode
from leadglass.wire.ul.pdu import AssociateAC, ReleaseRP, ReleaseRQ
from leadglass.wire.ul.timings import Timings


@pytest.fixture(params=[asyncio.DefaultEventLoopPolicy, uvloop.EventLoopPolicy], ids=["asyncio", "uvloop"])
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    return request.param()


class Identity(NamedTuple):
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def make(name: str, issuer: Identity | None = None, *, ca: bool = False, days: int = 30) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(names, critical=False)
    )
    return Identity(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


CA = make("ca", ca=True)
OTHER_CA = make("other ca", ca=True)
SERVER = make("archive", CA)
DEVICE = make("device", CA)
PINNED = make("pinned")
STRANGERS = {
    "none": None,
    "expired": make("device", CA, days=-1),
    "another CA": make("device", OTHER_CA),
    "self-signed": make("device"),
    "signed by a device": make("device", DEVICE),
    "signed by a pinned certificate": make("device", PINNED),
}


def archive_context() -> ssl.SSLContext:
    return server_context(SERVER.pem, SERVER.key_pem, client_authorities=CA.pem + PINNED.pem)


def lenient_client(who: Identity | None) -> ssl.SSLContext:
    """A client as careless as a peer may be."""
    if who is None:
        return client_context(CA.pem)
    return client_context(CA.pem, certificate=who.pem, key=who.key_pem)


async def call(lab: Any, port: int, context: ssl.SSLContext, **options: Any) -> Any:
    return await open_association(
        "localhost", port, lab.REQUEST, HandlerDefaults(), DialOptions(ssl_context=context, **options)
    )


@pytest.mark.parametrize("who", [DEVICE, PINNED], ids=["issued", "pinned"])
async def test_a_device_with_its_certificate(lab: Any, who: Identity) -> None:
    listener = await lab.listen(ssl_context=archive_context())
    conn = await call(lab, listener.port, lenient_client(who))
    accepted = lab.handlers[0].conn
    assert accepted.tls
    assert accepted.peer_certificate == who.der
    assert conn.peer_certificate == SERVER.der
    await conn.release()
    assert await lab.handlers[0].end() == (CloseReason.RELEASED, "")


async def test_a_large_store_over_tls(lab: Any) -> None:
    listener = await lab.listen(ssl_context=archive_context())
    peer = await lab.peer(listener, tls=lenient_client(DEVICE))
    assert isinstance(await peer.associate(), AssociateAC)
    data = bytes(range(256)) * 8000
    for _ in range(2):
        await peer.send(lab.store_pdus(data))
        await peer.read_message()
    assert lab.handlers[0].stored == [data, data]
    await peer.send(encode(ReleaseRQ()))
    assert await peer.read_pdu() == ReleaseRP()


@pytest.mark.parametrize("who", STRANGERS.values(), ids=STRANGERS.keys())
async def test_a16_a_caller_without_proof_never_reaches_dicom(lab: Any, who: Identity | None) -> None:
    listener = await lab.listen(ssl_context=archive_context())
    with pytest.raises(LeadglassError) as caught:
        await call(lab, listener.port, lenient_client(who))
    assert caught.value.code is ErrorCode.DESTINATION_UNREACHABLE
    handler = await lab.next_handler()
    assert (await handler.end())[0] is CloseReason.TLS_FAILED
    assert handler.conn.request is None
    await lab.until(lambda: not listener.connections)


async def test_client_certificates_may_be_optional(lab: Any) -> None:
    context = server_context(
        SERVER.pem, SERVER.key_pem, client_authorities=CA.pem, client_certificates=ClientCertificates.OPTIONAL
    )
    listener = await lab.listen(ssl_context=context)
    await call(lab, listener.port, lenient_client(None))
    assert lab.handlers[0].conn.peer_certificate is None


OLD = {
    "TLS 1.1": (ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0"),
    "TLS 1.0": (ssl.TLSVersion.TLSv1, "ALL:@SECLEVEL=0"),
    "RSA key exchange": (ssl.TLSVersion.TLSv1_2, "AES128-GCM-SHA256:AES256-GCM-SHA384:@SECLEVEL=0"),
    "CBC": (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA:@SECLEVEL=0"),
    "finite-field DH": (ssl.TLSVersion.TLSv1_2, "DHE+AESGCM:@SECLEVEL=0"),
}


@pytest.mark.parametrize(("version", "ciphers"), OLD.values(), ids=OLD.keys())
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_a16_old_cryptography_is_refused(lab: Any, version: ssl.TLSVersion, ciphers: str) -> None:
    listener = await lab.listen(ssl_context=archive_context())
    context = lenient_client(DEVICE)
    context.set_ciphers(ciphers)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = version
    with pytest.raises(LeadglassError):
        await call(lab, listener.port, context)
    assert (await (await lab.next_handler()).end())[0] is CloseReason.TLS_FAILED


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_both_versions_of_today(lab: Any, version: ssl.TLSVersion) -> None:
    listener = await lab.listen(ssl_context=archive_context())
    context = lenient_client(DEVICE)
    context.maximum_version = version
    await call(lab, listener.port, context)


def test_only_aead_with_ephemeral_keys_is_offered() -> None:
    for context in (archive_context(), lenient_client(DEVICE)):
        for cipher in context.get_ciphers():
            assert cipher["aead"]
            assert cipher["kea"] in {"kx-ecdhe", "kx-any"}  # any: TLS 1.3


@pytest.mark.parametrize(
    "raw", [b"\x01\x00\x00\x00", b"GET / HTTP/1.1\r\n\r\n", bytes(5000)], ids=["dicom", "http", "zeros"]
)
async def test_a16_plain_bytes_on_the_tls_port(lab: Any, raw: bytes) -> None:
    listener = await lab.listen(ssl_context=archive_context(), timings=Timings(artim=0.3))
    peer = await lab.peer(listener)
    await peer.send(encode(lab.REQUEST) if raw[:1] == b"\x01" else raw)
    await peer.rest()
    assert (await (await lab.next_handler()).end())[0] is CloseReason.TLS_FAILED


@pytest.mark.parametrize("raw", [b"", bytes.fromhex("1603010200010001fc0303")], ids=["nothing", "half a hello"])
async def test_a16_half_a_handshake_ends_with_artim_and_delays_nobody(lab: Any, raw: bytes) -> None:
    listener = await lab.listen(ssl_context=archive_context(), timings=Timings(artim=0.5))
    peer = await lab.peer(listener)
    await peer.send(raw)
    handler = await lab.next_handler()
    await call(lab, listener.port, lenient_client(DEVICE))
    assert (await handler.end())[0] is CloseReason.TLS_FAILED
    await peer.rest()


async def test_silence_after_the_handshake_ends_with_artim(lab: Any) -> None:
    listener = await lab.listen(ssl_context=archive_context(), timings=Timings(artim=0.3))
    peer = await lab.peer(listener, tls=lenient_client(DEVICE))
    assert await peer.rest() == b""
    assert await (await lab.next_handler()).end() == (CloseReason.TIMEOUT, "request")


async def test_a_server_certificate_is_renewed_without_restart(lab: Any) -> None:
    current = [SERVER]
    source = RenewableContext(lambda: server_context(current[0].pem, current[0].key_pem, client_authorities=CA.pem))
    listener = await lab.listen(ssl_context=source)
    before = await call(lab, listener.port, lenient_client(DEVICE))
    renewed = make("archive", CA)
    current[0] = renewed
    source.reload()
    after = await call(lab, listener.port, lenient_client(DEVICE))
    assert (before.peer_certificate, after.peer_certificate) == (SERVER.der, renewed.der)
    assert before.established  # what runs goes on
    current[0] = Identity(renewed.certificate, SERVER.key)  # does not fit
    with pytest.raises(ssl.SSLError):
        source.reload()
    again = await call(lab, listener.port, lenient_client(DEVICE))
    assert again.peer_certificate == renewed.der


@pytest.mark.parametrize("server", [make("archive", OTHER_CA), make("archive"), make("archive", CA, days=-1)])
async def test_we_verify_whom_we_dial(lab: Any, server: Identity) -> None:
    context = server_context(server.pem, server.key_pem, client_authorities=CA.pem)
    listener = await lab.listen(ssl_context=context)
    with pytest.raises(LeadglassError) as caught:
        await call(lab, listener.port, lenient_client(DEVICE))
    assert "certificate" in caught.value.comment


async def test_we_verify_the_name_we_dial(lab: Any) -> None:
    listener = await lab.listen(ssl_context=archive_context())
    with pytest.raises(LeadglassError):
        await call(lab, listener.port, lenient_client(DEVICE), server_name="pacs.example.org")


async def test_a_pinned_server_needs_no_name(lab: Any) -> None:
    listener = await lab.listen(ssl_context=server_context(PINNED.pem, PINNED.key_pem, client_authorities=CA.pem))
    context = client_context(PINNED.pem, certificate=DEVICE.pem, key=DEVICE.key_pem, check_hostname=False)
    await call(lab, listener.port, context, server_name="whatever.example.org")


async def test_dialling_a_plain_port_with_tls_fails_in_time(lab: Any) -> None:
    listener = await lab.listen(timings=Timings(artim=0.2))
    with pytest.raises(LeadglassError) as caught:
        await call(lab, listener.port, lenient_client(DEVICE))
    assert caught.value.code is ErrorCode.DESTINATION_UNREACHABLE


def test_required_without_anyone_trusted_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="trusted"):
        server_context(SERVER.pem, SERVER.key_pem)
