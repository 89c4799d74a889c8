"""nginx before the web door, set up as docs/configuration.md says: for whom it speaks, and what nobody makes it say."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import archives
import httpx
import objects
import pytest
from enrolling import leadglass, until
from stowing import STUDIES, part10, related
from web_tls import Given, addresses, token

from leadglass.app.certificates import utc_now
from leadglass.app.home import Home

pytestmark = pytest.mark.interop("nginx")

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text("utf-8")
UNIX, MUTUAL = "nginx in front, over a Unix socket", "nginx in front, on another machine"
ROOT = os.geteuid() == 0
NAME, WHO = "pacs.example.org", "127.0.0.5"
MIB = 1024 * 1024
FORGED = {
    "forwarded": "for=203.0.113.1;host=localhost;proto=http",
    "x-forwarded-for": "203.0.113.2, 203.0.113.3",
    "x-forwarded-host": "localhost",
    "x-forwarded-proto": "http",
    "x-real-ip": "203.0.113.4",
    "true-client-ip": "203.0.113.5",
    "via": "1.1 nowhere",
}


def blocks(heading: str, language: str) -> list[str]:
    """The examples below a heading of the page."""
    (part,) = [item for item in re.split(r"^##+ ", PAGE, flags=re.MULTILINE) if item.startswith(heading)]
    return re.findall(rf"^```{language}\n(.*?)^```", part, flags=re.MULTILINE | re.DOTALL)


def placed(text: str, places: dict[str, object]) -> str:
    """The example with the places of this test; whatever else is in it stays as it stands."""
    for old, new in places.items():
        assert old in text, old
        text = text.replace(old, str(new))
    return text


@dataclass(frozen=True)
class Front:
    """An archive with nginx before it: over a Unix socket, over mTLS, and twice as nobody should set it up."""

    home: Home
    unix: int
    mutual: int
    forwarding: int
    bare: int
    known: dict[str, str]
    given: Given

    def ask(self, port: int, path: str, *, host: str = "", address: str = WHO, **more: str) -> httpx.Response:
        transport = httpx.HTTPTransport(verify=self.given.trust, local_address=address, http2=True)
        headers = {"host": host or f"{NAME}:{port}", **self.known, **more}
        with httpx.Client(transport=transport, timeout=60) as http:
            return http.get(f"https://127.0.0.1:{port}{path}", headers=headers, extensions={"sni_hostname": NAME})


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """One that nginx's own user may look into, as /run is."""
    made = Path(tempfile.mkdtemp(prefix="leadglass-nginx-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def front(folder: Path, tmp_path_factory: pytest.TempPathFactory, nginx: Any) -> Iterator[Front]:
    given, run = Given(folder, (NAME,)), folder / "run"
    unix, mutual, forwarding, bare, plain, behind = (archives.free_port() for _ in range(6))
    home = archives.make(tmp_path_factory.mktemp("served"), [], web_port=plain)
    (command,) = blocks(UNIX, "sh")
    sh(placed(command, {"-o leadglass -g www-data": "-g www-data" if ROOT else "", "/run/leadglass": run}), folder)
    (command,) = blocks(MUTUAL, "sh")
    sh(command, folder)
    (first,), (second,) = blocks(UNIX, "toml"), blocks(MUTUAL, "toml")
    added = placed(first, {"/run/leadglass": run})
    added += placed(second, {"10.0.0.2": "127.0.0.1", "8443": behind, "/etc/leadglass": folder})
    home.config.write_text(home.config.read_text() + "\n" + added)
    given.put(utc_now() + dt.timedelta(days=90))
    (folder / "archive-ca.pem").write_text(leadglass(home, "device", "authority").stdout)
    (site,), (instead,) = blocks(UNIX, "nginx"), blocks(MUTUAL, "nginx")
    papers = {"/etc/nginx/pacs.pem": given.certificate, "/etc/nginx/pacs.key": given.key}
    over_tls = site.replace("        proxy_pass         http://unix:/run/leadglass/web.sock;\n", instead)
    assert over_tls != site
    sites = [
        placed(site, {**papers, "443": f"127.0.0.1:{unix}", "/run/leadglass": run}),
        placed(over_tls, papers | {" 443 ": f" 127.0.0.1:{mutual} ", "10.0.0.2:8443": f"127.0.0.1:{behind}",
                                   "/etc/nginx": folder}),
        f"server {{ listen 127.0.0.1:{bare}; location / {{ proxy_pass http://127.0.0.1:{plain}; }} }}",
        f"server {{ listen 127.0.0.1:{forwarding}; location / {{ proxy_pass http://127.0.0.1:{plain};"
        " proxy_http_version 1.1; proxy_set_header X-Forwarded-For $remote_addr; } }",
    ]  # fmt: skip
    known = token(home)
    with archives.served(home), running(nginx, folder, sites, (unix, mutual, bare, forwarding)):
        yield Front(home, unix, mutual, forwarding, bare, known, given)


def sh(command: str, folder: Path) -> None:
    subprocess.run(command, shell=True, check=True, timeout=60, cwd=folder, capture_output=True)


@contextlib.contextmanager
def running(nginx: Any, folder: Path, sites: list[str], ports: tuple[int, ...]) -> Iterator[None]:
    """nginx with these sites and nothing else of this machine's configuration."""
    user = "user www-data;" if ROOT else ""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = " ".join(f"{kind}_temp_path {folder}/temp-{kind};" for kind in kinds)
    configuration = folder / "nginx.conf"
    configuration.write_text(
        f"daemon off; {user} worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;"
        f" events {{}} http {{ access_log off; {temporary}\n" + "\n".join(sites) + "\n}\n"
    )
    process = subprocess.Popen([nginx.tool("nginx"), "-c", str(configuration), "-e", str(folder / "nginx.log")])
    try:
        assert until(lambda: process.poll() is not None or all(map(listens, ports)))
        assert process.poll() is None, (folder / "nginx.log").read_text()
        yield
    finally:
        process.terminate()
        process.wait(30)


def listens(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


WAYS = pytest.mark.parametrize("way", ["unix", "mutual"])


@WAYS
def test_the_address_of_who_asked_is_in_the_journal(front: Front, way: str) -> None:
    answer = front.ask(getattr(front, way), STUDIES, address="127.0.0.7" if way == "unix" else "127.0.0.8")
    assert (answer.status_code, answer.http_version) == (200, "HTTP/2")
    assert ("127.0.0.7" if way == "unix" else "127.0.0.8") in addresses(front.home)


@WAYS
def test_an_address_that_a_stranger_wrote_is_nobody_s(front: Front, way: str) -> None:
    before = addresses(front.home)
    assert front.ask(getattr(front, way), STUDIES, address="127.0.0.9", **FORGED).status_code == 200
    assert addresses(front.home) - before <= {"127.0.0.9"}
    assert "127.0.0.9" in addresses(front.home)


@WAYS
@pytest.mark.parametrize("host", ["elsewhere.example.org", "localhost", "127.0.0.1", "[::1]", "pacs.example.org.evil"])
def test_another_host_is_refused(front: Front, way: str, host: str) -> None:
    answer = front.ask(getattr(front, way), STUDIES, host=host)
    assert answer.status_code == 421, answer.text
    assert answer.json()["title"]


@WAYS
def test_addresses_in_answers_are_those_that_the_client_sees(front: Front, way: str) -> None:
    """Whatever scheme or host a stranger says there is."""
    port = getattr(front, way)
    data = objects.encoded(objects.data_set(7))
    body, header = related(part10(data, objects.CT, objects.uid(7, 1)))
    transport = httpx.HTTPTransport(verify=front.given.trust)
    with httpx.Client(transport=transport, timeout=60) as http:
        headers = {"host": f"{NAME}:{port}", **front.known, **header, "accept": "application/dicom+json", **FORGED}
        answer = http.post(
            f"https://127.0.0.1:{port}{STUDIES}", content=body, headers=headers, extensions={"sni_hostname": NAME}
        )
    assert answer.status_code == 200, answer.text
    (url,) = answer.json()["00081190"]["Value"]
    assert url.startswith(f"https://{NAME}:{port}/dicom-web/studies/")


@WAYS
def test_a_large_upload_goes_through_and_lies_in_none_of_nginx_s_folders(front: Front, way: str, folder: Path) -> None:
    number = {"unix": 8, "mutual": 9}[way]
    data = objects.encoded(objects.data_set(number, size=24 * MIB))
    body, header = related(part10(data, objects.CT, objects.uid(number, 1)))
    port, seen = getattr(front, way), set[str]()

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(body), MIB):
            seen.update(str(path) for path in folder.glob("temp-*/**/*") if path.is_file())
            yield body[start : start + MIB]

    transport = httpx.HTTPTransport(verify=front.given.trust)
    with httpx.Client(transport=transport, timeout=120) as http:
        headers = {"host": f"{NAME}:{port}", **front.known, **header}
        url, sni = f"https://127.0.0.1:{port}{STUDIES}", {"sni_hostname": NAME}
        assert http.post(url, content=pieces(), headers=headers, extensions=sni).status_code == 200
        study = objects.study_uid(number)
        path = f"/{study}/series/{study}.1000/instances/{objects.uid(number, 1)}"
        back = http.get(
            url + path,
            headers={**headers, "accept": "application/dicom; transfer-syntax=*"},
            extensions=sni,
        )
    assert back.status_code == 200, back.text[:200]
    assert back.content.endswith(data)
    assert seen == set()


def test_a_proxy_that_nobody_named_gets_nothing_from_the_plain_door(front: Front) -> None:
    for port, said in ((front.bare, "no HTTP/1.0"), (front.forwarding, "through a proxy")):
        for headers in (front.known, {}, front.known | {"host": NAME}):
            answer = httpx.get(f"http://127.0.0.1:{port}{STUDIES}", headers=headers)
            assert (answer.status_code, said in answer.text) == (421, True), answer.text
