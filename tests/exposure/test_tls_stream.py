"""TLS over a stream of the dialer: bytes, what was agreed on, and peers that speak none."""

import asyncio
import datetime as dt
import ssl
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from leadglass.exposure.dialer import ScopedDialer
from leadglass.exposure.service import Service
from leadglass.exposure.streams import Reason, Unreachable
from leadglass.exposure.tls_stream import any_server, wrap
from tests.exposure.test_dialer import Peer, echo, scope, silent, soon


def expired(folder) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pacs.example.org")])
    then = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(then)
        .not_valid_after(then + dt.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "expired.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


class TlsPeer(Peer):
    def __init__(self, serve, context) -> None:
        super().__init__(serve)
        self.context = context

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._met, "127.0.0.1", 0, ssl=self.context)
        self.port = self.server.sockets[0].getsockname()[1]
        return self


async def connected(peer, seconds=20, bound=10_000_000):
    dialer = ScopedDialer(scope(peer.port), now=lambda: 1)
    return await dialer.connect(Service("127.0.0.1", peer.port), deadline=soon(seconds), bound=bound)


async def test_an_expired_certificate_is_seen_and_bytes_go_both_ways(tmp_path):
    async with TlsPeer(echo, expired(tmp_path)) as peer:
        stream = await wrap(await connected(peer), any_server(), "pacs.example.org")
        session = stream.session
        assert session.version == "TLSv1.3"
        assert x509.load_der_x509_certificate(session.certificate).serial_number == 7
        await stream.write(b"b" * 300_000)
        assert await stream.read_exactly(300_000) == b"b" * 300_000
        stream.close()


@pytest.mark.parametrize(("serve", "reason"), [(echo, Reason.TLS), (silent, Reason.TIMEOUT)])
async def test_who_does_not_speak_tls_is_told_apart(serve, reason):
    async with Peer(serve) as peer:
        with pytest.raises(Unreachable) as ended:
            await wrap(await connected(peer, seconds=20 if reason is Reason.TLS else 0.3), any_server(), "")
        assert ended.value.reason is reason


async def test_the_bound_holds_within_tls(tmp_path):
    async with TlsPeer(echo, expired(tmp_path)) as peer:
        stream = await wrap(await connected(peer, bound=50_000), any_server(), "")
        await stream.write(b"b" * 300_000)
        with pytest.raises(Unreachable) as ended:
            await stream.read_exactly(300_000)
        assert ended.value.reason is Reason.TOO_MUCH
