"""The web door's TLS: one certificate with the DICOM door, new ones without a restart, nothing weak, who may knock."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import socket
import ssl
import struct
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import archives
import httpx
import pytest
from enrolling import leadglass, until
from stowing import BOUNDARY, related
from web_tls import Given, addresses, connected, listen, listen_tls, own_trust, presented, token

from leadglass.access.authority import Authority
from leadglass.app.certificates import authority_of, utc_now
from leadglass.app.home import Home

PATIENCE = 20.0
QUERY = "/dicom-web/studies"


@pytest.fixture
def port() -> int:
    return archives.free_port()


def days(count: float) -> dt.datetime:
    return utc_now() + dt.timedelta(days=count)


def web_status(home: Home) -> list[dict[str, object]]:
    seen: list[dict[str, object]] = json.loads(leadglass(home, "status", "--json", check=False).stdout)["web"]
    return seen


def listens(port: int) -> bool:
    """Whether anybody does, whatever is shown there."""
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# --- one certificate ------------------------------------------------------------------------------------------------


def test_both_doors_show_one_certificate_and_keep_it_over_restarts(tmp_path: Path, port: int) -> None:
    home = archives.make(tmp_path, [], tls=True)
    listen_tls(home, port, 'names = ["pacs.example.org"]')
    trust = own_trust(home)
    with archives.served(home) as server:
        shown = presented(port, trust)
        assert shown
        assert presented(server.tls_port, trust) == shown
        with connected(port, trust) as peer:
            names = {name for _, name in (peer.getpeercert() or {})["subjectAltName"]}
        assert "pacs.example.org" in names
    with archives.served(home):
        assert presented(port, trust) == shown


# --- renewal --------------------------------------------------------------------------------------------------------


def test_a_new_certificate_is_shown_while_a_running_upload_goes_on(tmp_path: Path, port: int) -> None:
    home, given = archives.make(tmp_path, []), Given(tmp_path)
    listen_tls(home, port, *given.lines)
    first = given.put(days(200))
    known = token(home)["authorization"]
    body, header = related(b"no DICOM at all, and whole")
    with archives.served(home):
        assert presented(port, given.trust) == first
        with connected(port, given.trust) as peer:
            head = f"POST {QUERY} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {known}\r\n"
            head += f"Content-Type: {header['content-type']}\r\nContent-Length: {len(body)}\r\n\r\n"
            peer.sendall(head.encode() + body[:20])
            second = given.put(days(300))
            assert until(lambda: all(presented(port, given.trust) == second for _ in range(20)))  # by every process
            peer.sendall(body[20:])
            answer = peer.recv(65536)
        assert BOUNDARY.encode() in body and answer.startswith(b"HTTP/1.1 409"), answer[:200]


def test_files_that_do_not_fit_each_other_leave_the_certificate_that_worked(tmp_path: Path, port: int) -> None:
    home, given = archives.make(tmp_path, []), Given(tmp_path)
    listen_tls(home, port, *given.lines)
    first = given.put(days(200))
    with archives.served(home):
        kept = given.key.read_bytes()
        given.put(days(300))
        given.key.write_bytes(kept)
        assert until(lambda: "do not fit" in (tmp_path / "serve.log").read_text())
        assert presented(port, given.trust) == first
        assert until(lambda: "do not fit" in str(web_status(home)[0]["renewal"]))
        done = leadglass(home, "status", check=False)
        assert (done.returncode, "do not fit" in done.stdout, "closed" in done.stdout) == (3, True, False)
        second = given.put(days(301))
        assert until(lambda: presented(port, given.trust) == second)
        assert until(lambda: web_status(home)[0]["renewal"] == "")
        assert leadglass(home, "status").returncode == 0
    assert "certificate-renewal-failed" in leadglass(home, "journal", "show", "--json").stdout


def test_an_expired_certificate_closes_its_listener_alone_until_there_is_a_new_one(tmp_path: Path, port: int) -> None:
    home, given = archives.make(tmp_path, [archives.device("ct")]), Given(tmp_path)
    other = archives.free_port()
    listen_tls(home, port, *given.lines)
    listen_tls(home, other)
    given.put(days(-1))
    trust = own_trust(home)
    with archives.served(home) as server:
        assert not listens(port)
        assert presented(other, trust)
        assert [item["open"] for item in web_status(home)] == [False, True]
        done = leadglass(home, "status", check=False)
        assert (done.returncode, "closed" in done.stdout) == (3, True)
        second = given.put(utc_now() + dt.timedelta(seconds=20))
        assert until(lambda: web_status(home)[0]["open"] and presented(port, given.trust) == second)
        assert until(lambda: not web_status(home)[0]["open"], 60)
        assert until(lambda: not listens(port))
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 10
    assert "listener-closed" in leadglass(home, "journal", "show", "--json").stdout


# --- nothing weak ---------------------------------------------------------------------------------------------------

SUITES = {
    "RSA key exchange": (0x009C, 0x009D, 0x002F, 0x0035, 0x003C),
    "CBC": (0xC009, 0xC00A, 0xC013, 0xC014, 0xC023, 0xC024, 0xC027, 0xC028),
    "DHE": (0x009E, 0x009F, 0x0033, 0x0039),
    "nothing, RC4, export, 3DES": (0x0000, 0x0005, 0x0003, 0x000A, 0xC012, 0xC008),
}
GOOD = (0xC02B, 0xC02C, 0xCCA9)  # ECDHE-ECDSA with AES-GCM and ChaCha20
TLS_1_0, TLS_1_1, TLS_1_2 = 0x0301, 0x0302, 0x0303


def client_hello(version: int, suites: tuple[int, ...]) -> bytes:
    """A ClientHello as RFC 5246 7.4.1.2 has it, with curves and signatures for ECDHE-ECDSA."""
    groups = struct.pack(">HHHHH", 10, 6, 4, 0x0017, 0x001D)
    points = struct.pack(">HHBB", 11, 2, 1, 0)
    signatures = struct.pack(">HHHHHH", 13, 8, 6, 0x0403, 0x0503, 0x0401)
    extensions = groups + points + signatures
    listed = b"".join(struct.pack(">H", suite) for suite in suites)
    body = struct.pack(">H", version) + os.urandom(32) + b"\0"
    body += struct.pack(">H", len(listed)) + listed + b"\1\0" + struct.pack(">H", len(extensions)) + extensions
    message = b"\1" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + struct.pack(">H", len(message)) + message


def answered(port: int, hello: bytes) -> int:
    """The type of the record that comes back: 22 is a ServerHello, 21 an alert, 0 nothing."""
    with closing(socket.create_connection(("127.0.0.1", port), PATIENCE)) as peer:
        peer.sendall(hello)
        answer = peer.recv(1)
    return answer[0] if answer else 0


@pytest.fixture(scope="module")
def tls_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port = archives.free_port()
    with archives.served(archives.make(tmp_path_factory.mktemp("served"), [], web_port=port, web_tls=True)):
        yield port


def test_ecdhe_with_aead_is_spoken(tls_port: int) -> None:
    assert answered(tls_port, client_hello(TLS_1_2, GOOD)) == 22


@pytest.mark.parametrize("suites", SUITES.values(), ids=SUITES.keys())
def test_nothing_weaker_is(tls_port: int, suites: tuple[int, ...]) -> None:
    assert answered(tls_port, client_hello(TLS_1_2, suites)) == 21


@pytest.mark.parametrize("version", [TLS_1_0, TLS_1_1])
def test_no_older_version_is(tls_port: int, version: int) -> None:
    assert answered(tls_port, client_hello(version, (*GOOD, *SUITES["CBC"]))) == 21


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"), "Cipher is ECDHE-ECDSA-AES256-GCM-SHA384"),
        (("-tls1_3",), "New, TLSv1.3, Cipher is TLS_"),
        (("-tls1_2", "-cipher", "ALL:!aNULL:!AESGCM:!CHACHA20:@SECLEVEL=0"), "Cipher is (NONE)"),
        (("-tls1_2", "-cipher", "kRSA:@SECLEVEL=0"), "Cipher is (NONE)"),
        (("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), "Cipher is (NONE)"),
        (("-tls1", "-cipher", "ALL:@SECLEVEL=0"), "Cipher is (NONE)"),
    ],
)
def test_openssl_agrees(tls_port: int, words: tuple[str, ...], said: str) -> None:
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{tls_port}", *words]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
    assert said in done.stdout, done.stdout + done.stderr


# --- who may knock, and for whom a proxy speaks ---------------------------------------------------------------------


@dataclass(frozen=True)
class Gate:
    """An archive with a listener for a proxy that shows a certificate, one on a Unix socket, one plain on loopback."""

    home: Home
    mutual: int
    socket: str
    plain: int
    trust: Path
    proxy: tuple[Path, Path]
    known: dict[str, str]

    def client(self, papers: tuple[Path, Path] | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.trust))
        if papers is not None:
            context.load_cert_chain(*papers)
        return context


def papers_of(maker: Authority, folder: Path, name: str) -> tuple[Path, Path]:
    issued = maker.issue_device(name, utc_now())
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(issued.chain_pem)
    key.write_bytes(issued.key_pem)
    return certificate, key


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    folder = tmp_path_factory.mktemp("gate")
    mutual, plain, path = archives.free_port(), archives.free_port(), str(folder / "web.sock")
    home = archives.make(folder, [], web_port=plain)
    maker = Authority.create("proxies", utc_now())
    (folder / "proxies.pem").write_bytes(maker.pem)
    (folder / "proxies.pem").chmod(0o600)
    listen_tls(home, mutual, f'client_ca = "{folder / "proxies.pem"}"', "trusted_proxy = true")
    listen(home, f'unix = "{path}"', "trusted_proxy = true", 'names = ["pacs.example.org"]')
    with archives.opened(home) as archive:
        (folder / "own.pem").write_bytes(authority_of(archive.state, archive.keys.ca).pem)
    known = token(home)
    with archives.served(home):
        yield Gate(home, mutual, path, plain, folder / "own.pem", papers_of(maker, folder, "proxy"), known)


def test_a_proxy_that_shows_its_certificate_speaks_for_others(gate: Gate) -> None:
    headers = gate.known | {"x-forwarded-for": "198.51.100.7, 203.0.113.9"}
    with httpx.Client(verify=gate.client(gate.proxy)) as http:
        assert http.get(f"https://localhost:{gate.mutual}{QUERY}", headers=headers).status_code == 200
    assert "203.0.113.9" in addresses(gate.home)
    assert "198.51.100.7" not in addresses(gate.home)  # that one anybody may have written


def test_without_a_certificate_of_its_authority_nobody_speaks_at_all(gate: Gate, tmp_path: Path) -> None:
    other = papers_of(Authority.create("proxies", utc_now()), tmp_path, "proxy")  # the same name, another key
    for papers in (None, other):
        with httpx.Client(verify=gate.client(papers)) as http, pytest.raises(httpx.TransportError):
            http.get(f"https://localhost:{gate.mutual}/healthz")


def test_a_proxy_on_the_unix_socket_speaks_for_others(gate: Gate) -> None:
    headers = gate.known | {"x-forwarded-for": "203.0.113.77"}
    with httpx.Client(transport=httpx.HTTPTransport(uds=gate.socket)) as http:
        assert http.get(f"http://pacs.example.org{QUERY}", headers=headers).status_code == 200
        assert http.get(f"http://elsewhere.example.org{QUERY}", headers=headers).status_code == 421
        assert http.get(f"http://127.0.0.1{QUERY}", headers=headers).status_code == 421
    assert "203.0.113.77" in addresses(gate.home)


def test_only_the_owner_and_its_group_reach_the_unix_socket(gate: Gate) -> None:
    assert Path(gate.socket).stat().st_mode & 0o777 == 0o660


def test_nowhere_else_is_a_proxy_believed(gate: Gate) -> None:
    headers = gate.known | {"x-forwarded-for": "203.0.113.55"}
    assert httpx.get(f"http://127.0.0.1:{gate.plain}{QUERY}", headers=headers).status_code == 421
    assert httpx.get(f"http://127.0.0.1:{gate.plain}{QUERY}", headers=gate.known).status_code == 200
    assert "203.0.113.55" not in addresses(gate.home)
    assert "127.0.0.1" in addresses(gate.home)


def test_a_file_that_is_no_socket_is_not_removed(tmp_path: Path) -> None:
    home = archives.make(tmp_path, [])
    kept = tmp_path / "letter"
    kept.write_text("dear reader")
    listen(home, f'unix = "{kept}"', "trusted_proxy = true")
    assert leadglass(home, "serve", check=False).returncode != 0
    assert kept.read_text() == "dear reader"


def test_new_client_authorities_count_without_a_restart(tmp_path: Path, port: int) -> None:
    home = archives.make(tmp_path, [])
    authorities = tmp_path / "clients.pem"
    old, new = Authority.create("old", utc_now()), Authority.create("new", utc_now())
    authorities.write_bytes(old.pem)
    authorities.chmod(0o600)
    listen_tls(home, port, f'client_ca = "{authorities}"')
    trust = own_trust(home)
    trust.load_cert_chain(*papers_of(new, tmp_path, "client"))

    def let_in() -> bool:
        try:
            with httpx.Client(verify=trust) as http:
                return http.get(f"https://localhost:{port}/healthz").text == "ok\n"
        except httpx.TransportError:
            return False

    with archives.served(home):
        assert not let_in()
        authorities.write_bytes(new.pem)
        assert until(let_in)
