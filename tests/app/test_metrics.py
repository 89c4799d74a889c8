"""The counts for Prometheus: told to who shows the token, from every process, and of nobody."""

from __future__ import annotations

import datetime as dt
import json
import re
import ssl
import stat
import time
import warnings
from pathlib import Path

import archives
import httpx
import objects
import pytest
from asking import Asker
from asking import Given as Instance
from enrolling import leadglass
from web_tls import Given, connected

from leadglass.app.certificates import utc_now
from leadglass.app.config import parse_config
from leadglass.app.metrics_process import MetricsDoor, token_in
from leadglass.app.metrics_text import Seen, metrics_text
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import SYSTEM
from leadglass.core.tokens import Scope
from leadglass.dicom.uids import EXPLICIT_VR_LE
from leadglass.services.tokens import Wanted

TOKEN = "t" * 40
WRONG = [[], ["Bearer "], ["Bearer x"], [f"Basic {TOKEN}"], [f"Bearer {TOKEN}"] * 2, ["\xff"]]
SAMPLE = re.compile(r'[a-z_]+(\{([a-z]+="[^"\n]*",?)+\})? -?[0-9.e+]+(inf)?')
PLAIN = {"archive": {"ae_titles": ["A"]}, "keys": {"source": "file"}}


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "metrics.token"
    path.write_text(TOKEN + "\n")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    "words", [[], ["Bearer "], ["Bearer x"], [f"Basic {TOKEN}"], [f"Bearer {TOKEN}"] * 2, ["\xff"]]
)
@pytest.mark.parametrize("path", ["/metrics", "/"])
async def test_without_the_token_nothing_is_told(token_file: Path, words: list[str], path: str) -> None:
    transport = httpx.ASGITransport(MetricsDoor(lambda: token_in(token_file), lambda: Seen(None)))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        answer = await http.get(path, headers=[("authorization", text.encode("latin-1")) for text in words])
        known = await http.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
        assert (await http.post("/metrics", headers={"authorization": f"Bearer {TOKEN}"})).status_code == 405
    assert (answer.status_code, known.status_code) == (401, 200)
    assert "leadglass_" not in answer.text


@pytest.mark.parametrize("what", ["gone", "readable by others", "short"])
async def test_a_token_file_that_is_none_lets_nobody_in(token_file: Path, what: str) -> None:
    if what == "gone":
        token_file.unlink()
    elif what == "short":
        token_file.write_text("")
    else:
        token_file.chmod(stat.S_IRUSR | stat.S_IRGRP)
    with pytest.raises(LeadglassError) as error:
        token_in(token_file)
    assert error.value.code is ErrorCode.UNSAFE
    transport = httpx.ASGITransport(MetricsDoor(lambda: token_in(token_file), lambda: Seen(None)))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        for words in ("Bearer ", f"Bearer {TOKEN}"):
            assert (await http.get("/metrics", headers={"authorization": words})).status_code == 401


@pytest.mark.parametrize(
    "changes",
    [{"host": "192.0.2.1"}, {"host": "::"}, {"host": "localhost"}, {"port": 0}, {"token_file": "x"}, {"key": "/k"}],
    ids=str,
)
def test_plain_metrics_are_for_loopback_and_half_a_table_does_not_start(changes: dict[str, object]) -> None:
    table = {"host": "127.0.0.1", "port": 9000, "token_file": "/t", **changes}
    with pytest.raises(LeadglassError) as error:
        parse_config({**PLAIN, "metrics": table})
    assert error.value.code is ErrorCode.USAGE


def test_counts_of_processes_are_added_up_and_written_as_prometheus_reads_them() -> None:
    traffic = {
        "answers": [["/dicom-web/studies", "GET", 200, 3], ["", "", 401, 2]],
        "seconds": {"/dicom-web/studies": [1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.25]},
        "bytes": 100,
        "open": 1,
    }
    web = {
        "traffic": traffic,
        "listeners": [{"listener": "https://10.0.0.1:1", "open": False, "certificate_until": "2030-01-11"}],
    }
    now = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
    text = metrics_text(Seen(None, {1: web, 2: web}, 5, 10, now))
    lines = text.splitlines()
    assert 'leadglass_http_requests_total{route="/dicom-web/studies",method="GET",status="200"} 6' in lines
    assert 'leadglass_http_requests_total{route="none",method="none",status="401"} 4' in lines
    assert 'leadglass_http_request_seconds_bucket{route="/dicom-web/studies",le="0.02"} 6' in lines
    assert 'leadglass_http_request_seconds_bucket{route="/dicom-web/studies",le="+Inf"} 6' in lines
    assert 'leadglass_http_request_seconds_sum{route="/dicom-web/studies"} 0.5' in lines
    assert 'leadglass_up{process="dicom"} 0' in lines
    assert 'leadglass_listener_open{process="web-2",of="https://10.0.0.1:1"} 0' in lines
    assert 'leadglass_certificate_days{of="https://10.0.0.1:1"} 10' in lines
    assert [line for line in lines if not line.startswith("# ") and not SAMPLE.fullmatch(line)] == []


async def test_a_served_archive_tells_of_all_its_processes_and_of_nobody(tmp_path: Path, token_file: Path) -> None:
    web_port, port = archives.free_port(), archives.free_port()
    home = archives.make(tmp_path, [archives.device("ct", "CT")], web_port=web_port)
    with archives.opened(home) as archive:
        token = archive.tokens.issue(SYSTEM, Wanted("secretname", frozenset({Scope.READ}))).text
    with home.config.open("a") as file:
        file.write(f'\n[metrics]\nhost = "127.0.0.1"\nport = {port}\ntoken_file = "{token_file}"\n')
    with archives.served(home) as server:
        data = objects.encoded(objects.data_set(1))
        await Asker(server.port, "CT").store([Instance(objects.CT, objects.uid(1, 1), EXPLICIT_VR_LE, data)])
        study = f"http://127.0.0.1:{web_port}/dicom-web/studies/{objects.study_uid(1)}"
        for words in (f"Bearer {token}", "Bearer no"):
            httpx.get(study + "/metadata", headers={"authorization": words})
        text = _scraped(
            port,
            'leadglass_http_requests_total{route="/dicom-web/studies/{study}/metadata",method="GET",status="200"} 1\n',
            'leadglass_http_requests_total{route="none",method="none",status="401"} 1\n',
            'leadglass_instances_stored_total{process="dicom"} 1\n',
        )
    assert 'leadglass_up{process="dicom"} 1\n' in text
    assert 'leadglass_journal_writable{process="web-1"} 1\n' in text
    assert "leadglass_associations_total 1\n" in text
    for private in (objects.study_uid(1), "secretname", token, "Rossi", "P1", "CT"):
        assert private not in text
    assert not list((home.root / "run").glob("web-*"))


def _scraped(port: int, *wanted: str) -> str:
    """What is told once all that is `wanted` is: processes say how it goes every two seconds."""
    deadline = time.monotonic() + 60
    while True:
        answer = httpx.get(f"http://127.0.0.1:{port}/metrics", headers={"authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200
        missing = [line for line in wanted if line not in answer.text]
        if not missing or time.monotonic() > deadline:
            assert missing == []
            return answer.text
        time.sleep(0.2)


def test_with_a_certificate_the_counts_are_told_over_tls_alone(tmp_path: Path, token_file: Path) -> None:
    port, given = archives.free_port(), Given(tmp_path)
    home = archives.make(tmp_path, [])
    given.put(utc_now() + dt.timedelta(days=30))
    with home.config.open("a") as file:
        lines = ("", "[metrics]", 'host = "127.0.0.1"', f"port = {port}", f'token_file = "{token_file}"', *given.lines)
        file.write("\n".join(lines) + "\n")
    known = {"authorization": f"Bearer {TOKEN}"}
    with archives.served(home) as server:
        url = f"https://localhost:{port}/metrics"
        with httpx.Client(verify=given.trust) as http:
            assert http.get(url).status_code == 401
            assert 'leadglass_up{process="dicom"} 1' in http.get(url, headers=known).text
        with httpx.Client() as stranger, pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            stranger.get(url)
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://localhost:{port}/metrics", headers=known)
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                old.minimum_version = old.maximum_version = version
            old.set_ciphers("ALL:@SECLEVEL=0")
            with pytest.raises(OSError, match=r"(?i)alert|reset"):  # the server's refusal, not our own
                connected(port, old)
        told = json.loads(leadglass(home, "status", "--json").stdout)["certificates"]
        server.process.terminate()
        assert server.process.wait(60) == 0
    assert [(item["of"], item["name"]) for item in told] == [("metrics", f"https://127.0.0.1:{port}")]
