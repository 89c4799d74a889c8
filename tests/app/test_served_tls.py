"""Hostile and mistaken callers at the TLS door of a served archive: real handshakes, nothing stands between."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import socket
import ssl
import warnings
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import archives
import pytest
from enrolling import Papers, enrol_with_certificate, leadglass, until

from leadglass.access.authority import Authority, Issued
from leadglass.access.passcodes import hash_passcode
from leadglass.app.certificates import authority_of, utc_now
from leadglass.core.errors import LeadglassError
from leadglass.dicom import uids
from leadglass.net.dialer import DialOptions
from leadglass.net.proposals import NATIVE_SYNTAXES, association_request, propose_one
from leadglass.net.requestor import dial
from leadglass.wire.ul.codec import encode
from leadglass.wire.ul.pdu import UserIdentity

PASSCODE = "orange battery staple"
PATIENCE = 20.0
REJECTED = "1/1/3"


@dataclass(frozen=True)
class Place:
    """A served archive, its devices' papers, and its own CA as an attacker would wish to have it."""

    server: archives.Server
    papers: dict[str, Papers]
    authority: Authority

    @property
    def port(self) -> int:
        return self.server.tls_port

    def client(self, chain: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
        """A peer that verifies the archive, and may show something."""
        context = ssl.create_default_context(cafile=str(self.papers["ct"].authority))
        if chain is not None:
            context.load_cert_chain(chain, key)
        return context

    def as_device(self, name: str) -> ssl.SSLContext:
        return self.client(self.papers[name].certificate, self.papers[name].key)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("papers")
    home = archives.make(tmp_path_factory.mktemp("served"), [archives.device("plainct", "PLAINCT")], tls=True)
    papers = {
        name: enrol_with_certificate(home, folder, name.upper()) for name in ("ct", "mr", "late", "pass", "few", "out")
    }
    with archives.opened(home) as archive:
        authority = authority_of(archive.state, archive.keys.ca)
        late = archive.state.device("late")
        expired = authority.issue_device("late", utc_now() - dt.timedelta(days=826))
        archive.state.put_device(replace(late, certificates=(expired.binding(),)))  # it was in force when enrolled
        papers["late"] = written(folder, "expired", expired)
        device = archive.state.device("pass")
        archive.state.put_device(replace(device, passcode_hash=hash_passcode(PASSCODE)))
        few = archive.state.device("few")
        archive.state.put_device(replace(few, passcode_hash=hash_passcode(PASSCODE), max_associations=1))
    with archives.served(home) as server:
        yield Place(server, papers, authority)


def written(folder: Path, name: str, issued: Issued) -> Papers:
    papers = Papers(folder / f"{name}.key", folder / f"{name}.pem", folder / f"{name}.ca")
    papers.key.write_bytes(issued.key_pem)
    papers.certificate.write_bytes(issued.certificate_pem)
    papers.authority.write_bytes(issued.authority_pem)
    return papers


def call(
    place: Place, title: str, context: ssl.SSLContext | None, identity: UserIdentity | None = None, port: int = 0
) -> str:
    """Echo under `title`: "" if it was answered, else what the caller is told."""

    async def echo() -> str:
        contexts = propose_one([(uids.VERIFICATION, NATIVE_SYNTAXES)])
        request = association_request("LEADGLASS", title, contexts, identity=identity)
        try:
            peer = await dial("127.0.0.1", port or place.port, request, DialOptions(ssl_context=context))
            code = await peer.echo()
            await peer.release()
        except LeadglassError as error:
            return error.comment
        return f"{code or ''}"

    return asyncio.run(echo())


def refused(place: Place) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = json.loads(leadglass(place.server.home, "device", "refused", "--json").stdout)
    return rows


def serves(place: Place) -> None:
    assert call(place, "CT", place.as_device("ct")) == ""


# --- A16: who never gets as far as DICOM ---------------------------------------------------------------------------


def test_a16_a_device_with_its_certificate_is_served(place: Place) -> None:
    serves(place)


@pytest.mark.parametrize(
    ("version", "ciphers"),
    [
        (ssl.TLSVersion.TLSv1, "ALL:@SECLEVEL=0"),
        (ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0"),
        (ssl.TLSVersion.TLSv1_2, "AES128-GCM-SHA256"),  # RSA key exchange
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA256"),  # CBC
    ],
)
def test_a16_old_cryptography(place: Place, version: ssl.TLSVersion, ciphers: str) -> None:
    context = place.as_device("ct")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that they are old is the point
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = version
        context.minimum_version = version
    context.set_ciphers(ciphers)
    assert "TLS" in call(place, "CT", context)
    serves(place)


def stranger(place: Place, folder: Path, kind: str) -> ssl.SSLContext:
    if kind == "none":
        return place.client()
    if kind == "expired":
        return place.as_device("late")
    maker = Authority.create("archive", utc_now())  # the same name, another key
    names = ("127.0.0.1",)
    issued = maker.issue_server(names, utc_now()) if kind == "self-made" else maker.issue_device("ct", utc_now())
    papers = written(folder, kind, issued)
    return place.client(papers.certificate, papers.key)


@pytest.mark.parametrize("kind", ["none", "expired", "other CA", "self-made"])
def test_a16_without_a_certificate_in_force_of_ours(place: Place, tmp_path: Path, kind: str) -> None:
    title = "LATE" if kind == "expired" else "CT"
    said = call(place, title, stranger(place, tmp_path, kind))
    assert said and "rejected" not in said  # TLS ended it: no word of DICOM
    assert any("certificate" in row["why"] for row in refused(place) if not row["title"])
    serves(place)


def test_a16_another_devices_certificate(place: Place) -> None:
    assert call(place, "CT", place.as_device("mr")).endswith(REJECTED)
    rows = [row for row in refused(place) if row["title"] == "CT"]
    assert any(row["enrol"].startswith("leadglass device certify ct --cert") for row in rows)
    serves(place)


def test_a16_a_certificate_of_ours_that_is_bound_to_nobody(place: Place, tmp_path: Path) -> None:
    papers = written(tmp_path, "unbound", place.authority.issue_device("ct", utc_now()))
    assert call(place, "CT", place.client(papers.certificate, papers.key)).endswith(REJECTED)


@pytest.mark.parametrize("raw", [encode(association_request("LEADGLASS", "CT", ())), b"GET / HTTP/1.1\r\n\r\n"])
def test_a16_plain_bytes_on_the_tls_port(place: Place, raw: bytes) -> None:
    with closing(socket.create_connection(("127.0.0.1", place.port), PATIENCE)) as peer:
        peer.sendall(raw)
        answer = b""
        while piece := peer.recv(4096):
            answer += piece
    assert not answer.startswith(b"\2")  # at most a TLS alert, never an A-ASSOCIATE-AC
    serves(place)


def test_a16_half_a_handshake_delays_nobody(place: Place) -> None:
    silent = [socket.create_connection(("127.0.0.1", place.port), PATIENCE) for _ in range(12)]
    try:
        for peer in silent:
            peer.sendall(bytes.fromhex("160301020001fc0303"))
        serves(place)
    finally:
        for peer in silent:
            peer.close()


def test_a16_tls_on_the_plain_port(place: Place) -> None:
    assert call(place, "CT", place.as_device("ct"), port=place.server.port)
    serves(place)


# --- A17: user identity ---------------------------------------------------------------------------------------------


def identified(place: Place, identity: UserIdentity | None) -> str:
    return call(place, "PASS", place.as_device("pass"), identity)


def test_a17_the_passcode_admits(place: Place) -> None:
    assert identified(place, UserIdentity(2, True, b"anybody", PASSCODE.encode())) == ""


@pytest.mark.parametrize(
    "identity",
    [
        pytest.param(None, id="none"),
        pytest.param(UserIdentity(1, False, b"anybody"), id="name alone"),
        pytest.param(UserIdentity(2, True, b"anybody", b"wrong"), id="wrong"),
        pytest.param(UserIdentity(2, True, PASSCODE.encode()), id="in the name"),
        pytest.param(UserIdentity(3, True, b"\x60\x82" + b"\xff" * 300), id="Kerberos"),
        pytest.param(UserIdentity(4, True, b"<saml:Assertion>&xxe;"), id="SAML"),
        pytest.param(UserIdentity(5, True, b"eyJhbGciOiJub25lIn0.e30."), id="JWT"),
        pytest.param(UserIdentity(2, False, b"x", b"y" * 30_000), id="30 kB"),
        pytest.param(UserIdentity(9, False, PASSCODE.encode(), PASSCODE.encode()), id="unknown type"),
    ],
)
def test_a17_anything_else_is_a_stranger(place: Place, identity: UserIdentity | None) -> None:
    said = identified(place, identity)
    assert said and (said.endswith(REJECTED) or "rejected" not in said)
    serves(place)


def test_a17_a_credential_of_64_kilobytes(place: Place) -> None:
    assert identified(place, UserIdentity(2, True, b"x" * 30_000, b"y" * 35_000))
    serves(place)


def test_a17_the_passcode_in_the_clear_helps_nobody(place: Place) -> None:
    given = UserIdentity(2, False, b"anybody", PASSCODE.encode())
    assert call(place, "PASS", None, given, port=place.server.port).endswith(REJECTED)
    shown = leadglass(place.server.home, "journal", "show", "--json").stdout
    assert "user-identity-in-clear" in shown
    assert PASSCODE not in shown


def test_a17_guessing_a_passcode_is_stopped_and_journalled(place: Place) -> None:
    for number in range(12):
        assert identified(place, UserIdentity(2, False, b"anybody", b"guess %d" % number)).endswith(REJECTED)
    assert identified(place, UserIdentity(2, False, b"anybody", PASSCODE.encode())).endswith(REJECTED)  # unheard now
    assert any(row["why"] == "the passcode is missing or wrong" for row in refused(place))
    serves(place)


def test_a17_a_caller_that_leaves_while_its_passcode_is_looked_at(place: Place) -> None:
    """It holds no place of the device afterwards: more of them leave than the device may have associations."""
    contexts = propose_one([(uids.VERIFICATION, NATIVE_SYNTAXES)])
    identity = UserIdentity(2, False, b"anybody", PASSCODE.encode())
    request = encode(association_request("LEADGLASS", "FEW", contexts, identity=identity))
    for _ in range(3):
        raw = socket.create_connection(("127.0.0.1", place.port), PATIENCE)
        with place.as_device("few").wrap_socket(raw, server_hostname="localhost") as peer:
            peer.sendall(request)
    assert until(lambda: call(place, "FEW", place.as_device("few"), identity) == "")
    assert call(place, "FEW", place.as_device("few"), identity) == ""


# --- rights that end ------------------------------------------------------------------------------------------------


def test_the_running_associations_of_a_disabled_device_end(place: Place) -> None:
    """Idle ones too: nothing is asked on the association, and it ends."""

    async def held() -> str:
        contexts = propose_one([(uids.VERIFICATION, NATIVE_SYNTAXES)])
        options = DialOptions(ssl_context=place.as_device("out"))
        peer = await dial("127.0.0.1", place.port, association_request("LEADGLASS", "OUT", contexts), options)
        assert await peer.echo() == 0
        await asyncio.to_thread(leadglass, place.server.home, "device", "disable", "out")
        async with asyncio.timeout(PATIENCE):
            await peer.connection.wait_closed()
        return str(peer.connection.close_reason)

    assert "ABORTED_BY_PEER" in asyncio.run(held())
    assert call(place, "OUT", place.as_device("out")).endswith(REJECTED)


def test_a_device_enrolled_while_the_archive_runs_is_trusted(place: Place, tmp_path: Path) -> None:
    """And the archive goes on under its own certificate: others may have pinned that."""
    before = presented(place)
    maker = Authority.create("elsewhere", utc_now())
    papers = written(tmp_path, "pinned", maker.issue_device("us", utc_now()))
    words = ("--title", "US", "--network", "127.0.0.1", "--pin", papers.certificate)
    leadglass(place.server.home, "device", "add", "us", *words)
    assert until(lambda: call(place, "US", place.client(papers.certificate, papers.key)) == "")
    assert presented(place) == before


def presented(place: Place) -> bytes:
    with place.as_device("ct").wrap_socket(
        socket.create_connection(("127.0.0.1", place.port), PATIENCE), server_hostname="localhost"
    ) as peer:
        return peer.getpeercert(binary_form=True) or b""
