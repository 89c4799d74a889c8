"""The served archive answers HTTP beside DICOM: plain on loopback, TLS with its own CA, and ends with the rest."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import archives
import httpx
import pytest

from leadglass.app.certificates import authority_of


@pytest.fixture
def web_port() -> int:
    return archives.free_port()


def test_health_is_answered_over_plain_http_on_loopback(tmp_path: Path, web_port: int) -> None:
    home = archives.make(tmp_path, [], web_port=web_port)
    with archives.served(home):
        assert httpx.get(f"http://127.0.0.1:{web_port}/readyz").text == "ok\n"
        assert httpx.get(f"http://127.0.0.1:{web_port}/dicom-web/studies").status_code == 401
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{web_port}/healthz")


def test_an_answer_to_head_leaves_the_connection_in_order(tmp_path: Path, web_port: int) -> None:
    """It has the length of what it does not send: the next answer must not be taken for that."""
    home = archives.make(tmp_path, [], web_port=web_port)
    with archives.served(home), socket.create_connection(("127.0.0.1", web_port), 30) as line:
        line.settimeout(30)
        head = f" HTTP/1.1\r\nHost: 127.0.0.1:{web_port}\r\n"
        line.sendall(f"HEAD /readyz{head}\r\nGET /healthz{head}Connection: close\r\n\r\n".encode())
        answers = b"".join(iter(lambda: line.recv(65_536), b""))
    first, second, rest = answers.split(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 200 ")
    assert b"content-length: 3" in first
    assert second.startswith(b"HTTP/1.1 200 ")
    assert rest == b"ok\n"


def test_tls_comes_from_the_archive_s_own_authority_and_no_key_stays_on_disk(tmp_path: Path, web_port: int) -> None:
    home = archives.make(tmp_path, [], web_port=web_port, web_tls=True)
    with archives.opened(home) as archive:
        own = authority_of(archive.state, archive.keys.ca).pem.decode()
    trust = ssl.create_default_context(cadata=own)
    with archives.served(home):
        with httpx.Client(verify=trust, http2=True) as http:
            answer = http.get(f"https://localhost:{web_port}/healthz")
        assert (answer.text, answer.http_version) == ("ok\n", "HTTP/2")
        assert not list(Path("/dev/shm").glob("leadglass-web-*"))
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"https://localhost:{web_port}/healthz")
