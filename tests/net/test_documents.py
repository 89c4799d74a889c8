"""Fetching a provider's documents: what is too large, too slow, elsewhere or in clear is not taken."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.net.documents import MAX_DOCUMENT, HttpsDocuments, require_safe

Serve = Callable[[bytes], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Answer one connection with given bytes, then keep it open; the address to ask."""
    listeners: list[socket.socket] = []
    ended = threading.Event()

    def start(answer: bytes) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def run() -> None:
            peer, _ = listener.accept()
            with peer:
                received.append(peer.recv(65536))
                try:
                    peer.sendall(answer)
                    ended.wait(20)
                except OSError:
                    pass

        threading.Thread(target=run, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/doc?x=1"

    received: list[bytes] = []
    start.received = received  # type: ignore[attr-defined]
    yield start
    ended.set()
    for listener in listeners:
        listener.close()


def answer(body: bytes, status: str = "200 OK", length: int | None = None, extra: str = "") -> bytes:
    length = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{extra}\r\n".encode() + body


def code_of(url: str) -> ErrorCode:
    with pytest.raises(LeadglassError) as error:
        HttpsDocuments(seconds=1.0).document(url)
    return error.value.code


def test_a_document_is_fetched_and_the_bearer_shown(serve: Serve) -> None:
    assert HttpsDocuments().document(serve(answer(b"{}")), "abc") == b"{}"
    (request,) = serve.received  # type: ignore[attr-defined]
    assert request.startswith(b"GET /doc?x=1 HTTP/1.1\r\n")
    assert b"Authorization: Bearer abc\r\n" in request


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (answer(b"", "401 Unauthorized"), ErrorCode.NOT_AUTHORISED),
        (answer(b"", "403 Forbidden"), ErrorCode.NOT_AUTHORISED),
        (answer(b"", "302 Found", extra="Location: http://127.0.0.1:1/\r\n"), ErrorCode.UNAVAILABLE),
        (answer(b"", "500 Oh"), ErrorCode.UNAVAILABLE),
        (answer(b"x" * (MAX_DOCUMENT + 1)), ErrorCode.UNAVAILABLE),
        (answer(b"x", length=10**12), ErrorCode.UNAVAILABLE),
        (answer(b"x", length=2), ErrorCode.UNAVAILABLE),  # the rest never comes
        (b"HTTP/1.1 200 OK\r\nX: ", ErrorCode.UNAVAILABLE),  # nor the end of the head
        (b"SSH-2.0-x\r\n", ErrorCode.UNAVAILABLE),
        (b"", ErrorCode.UNAVAILABLE),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n", ErrorCode.UNAVAILABLE),
    ],
)
def test_what_is_no_document_is_refused_in_time(serve: Serve, given: bytes, code: ErrorCode) -> None:
    assert code_of(serve(given)) is code


def test_nobody_there_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert code_of(f"http://127.0.0.1:{port}/") is ErrorCode.UNAVAILABLE


@pytest.mark.parametrize(
    "url",
    [
        "http://id.example/jwks",
        "http://localhost/jwks",  # a name: what it resolves to is decided elsewhere
        "http://127.0.0.1@id.example/",
        "http://192.0.2.1/",
        "https://user@id.example/",
        "https://id.example/#x",
        "https:///x",
        "https://id.example:port/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "",
    ],
)
def test_only_https_or_loopback_is_asked(url: str) -> None:
    assert code_of(url) is ErrorCode.USAGE


@pytest.mark.parametrize("url", ["https://id.example/a", "http://127.0.0.1:8080/a", "http://[::1]/a"])
def test_https_and_loopback_are_safe(url: str) -> None:
    require_safe(url)
