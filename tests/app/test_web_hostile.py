"""Hostile HTTP on the wire, at a served archive: what can be read in two ways is not read at all, what drips ends, and
nothing that was secret stands anywhere afterwards."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import commanding
import httpx
import objects
import pytest
import stowing
from web_site import WebSite, web_site

PATIENT = "Rossi^Anna1"
HIDDEN = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSite]:
    with web_site(tmp_path_factory.mktemp("site")) as made:
        yield made


def connected(site: WebSite) -> socket.socket:
    return socket.create_connection(("127.0.0.1", urlsplit(site.plain).port), 60)


def answers(site: WebSite, sent: str) -> list[int]:
    """The statuses of all answers to what is sent, until the server closes the connection."""
    with connected(site) as line:
        line.sendall(sent.encode("latin-1"))
        got = b"".join(iter(lambda: line.recv(65_536), b""))
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", got)]


@pytest.mark.parametrize(
    "lines",
    [
        f"Content-Length: 5\r\nContent-Length: {5 + len(HIDDEN)}",
        "Content-Length: +5",
        "Content-Length: 5, 5",
        "Content-Length : 5",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: xchunked\r\nContent-Length: 5",
        "Transfer-Encoding:\x0bchunked",
        "X: a\r\n Content-Length: 5",
        "X: a\rContent-Length: 5",
        "X: a\0",
    ],
)
def test_e6_a_request_that_ends_in_two_places_is_refused(site: WebSite, lines: str) -> None:
    """One of two servers would take what is hidden behind it for a request."""
    head = f"GET /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\nAuthorization: {site.bearer}\r\n{lines}\r\n\r\n"
    assert answers(site, f"{head}0\r\n\r\n{HIDDEN}") == [400]


def test_e6_of_two_lengths_the_chunks_count_and_nothing_is_read_behind_them(site: WebSite) -> None:
    """As RFC 9112 6.3 has it: the connection ends with the answer."""
    lines = f"Content-Length: {5 + len(HIDDEN)}\r\nTransfer-Encoding: chunked"
    head = f"GET /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\nAuthorization: {site.bearer}\r\n{lines}\r\n\r\n"
    assert answers(site, f"{head}0\r\n\r\n{HIDDEN}") == [200]


def test_e6_what_follows_a_whole_request_is_one_of_its_own(site: WebSite) -> None:
    """Without this the refusals above might be those of a server that answers once."""
    one = HIDDEN.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")
    assert answers(site, HIDDEN + one) == [200, 200]


def test_e4_a_head_that_does_not_end_is_not_waited_for(site: WebSite) -> None:
    assert answers(site, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ") in ([], [408])


def test_e6_a_head_without_end_takes_no_memory(site: WebSite) -> None:
    with connected(site) as line:
        line.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
        taken = 0
        try:
            while taken < 64 * 1024 * 1024:
                taken += line.send(b"X: " + b"a" * 60_000 + b"\r\n")
        except OSError:
            pass  # it was cut off
    assert taken < 32 * 1024 * 1024  # kernels on both sides hold some of it


def test_e13_no_secret_and_no_patient_stands_in_logs_and_journal(site: WebSite) -> None:
    made = objects.data_set(1, 1)
    body, header = stowing.related(stowing.part10(objects.encoded(made), objects.CT, objects.uid(1, 1)))
    near = site.token[:-1] + ("a" if site.token[-1] != "a" else "b")
    with httpx.Client(base_url=f"{site.plain}/", headers={"authorization": site.bearer}) as http:
        assert http.post("studies", content=body, headers=header).status_code == 200
        assert len(http.get("studies", params={"PatientName": PATIENT}).json()) == 1
        assert http.get("studies", params={PATIENT: "x"}).status_code == 400
        assert http.get(f"studies/{PATIENT}/metadata").status_code == 404
        assert http.get(f"studies?access_token={site.token}").status_code in (200, 400)
        assert http.get("studies", headers={"authorization": f"Bearer {near}"}).status_code == 401
        assert http.get("studies", headers={"authorization": f"Basic {near}"}).status_code == 401
    shown = commanding.leadglass("journal", "show", home=site.home)
    assert (shown.code, "program-admitted" in shown.out) == (0, True), shown.err
    told = {"journal": shown.out.encode(), "log": (site.home.root.parent / "serve.log").read_bytes()}
    told |= {str(path): path.read_bytes() for path in Path(site.home.root).rglob("*") if path.is_file()}
    for secret in (site.token, near, PATIENT, PATIENT.replace("^", "%5E")):
        assert [name for name, text in told.items() if secret.encode() in text] == []
