"""What is said of a service's TLS is what sslyze says of it. sslyze runs as a program of its own (see tools/peers)."""

from __future__ import annotations

import datetime as dt
import json
import re
import ssl
import subprocess
from dataclasses import dataclass
from typing import Any

import pytest
from tls_server import certificate, context, tls_server
from web_fakes import site_at

from leadglass.exposure.facts import Answer, Facts
from leadglass.exposure.probes import tls

pytestmark = pytest.mark.interop("sslyze")

VERSIONS = {"TLSv1": "tls_1_0", "TLSv1.1": "tls_1_1", "TLSv1.2": "tls_1_2", "TLSv1.3": "tls_1_3"}
# RFC 9325 4.1, by what stands in a suite's name: no or weak encryption, nobody's key, no forward secrecy.
FORBIDDEN = re.compile(r"_NULL_|_RC4_|_EXPORT_|_anon_|_3?DES_|TLS_RSA_WITH_|TLS_EC?DH_(RSA|ECDSA|DSS)_")


@dataclass(frozen=True)
class Oracle:
    """What sslyze said of a server."""

    told: dict[str, Any]

    def suites(self, version: str) -> set[str]:
        result = self.told["scan_result"][f"{VERSIONS[version]}_cipher_suites"]["result"]
        return {item["cipher_suite"]["name"] for item in result["accepted_cipher_suites"]}

    @property
    def versions(self) -> set[str]:
        return {version for version in VERSIONS if self.suites(version)}

    @property
    def leaf(self) -> dict[str, Any]:
        deployments = self.told["scan_result"]["certificate_info"]["result"]["certificate_deployments"]
        return deployments[0]["received_certificate_chain"][0]

    @property
    def asks(self) -> str:
        return self.told["connectivity_result"]["client_auth_requirement"]


@pytest.fixture
def ask_sslyze(sslyze, tmp_path):
    def ask(port: int) -> Oracle:
        out = tmp_path / "sslyze.json"
        words = ["--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3", "--certinfo", "--mozilla_config=disable"]
        done = subprocess.run(
            [sslyze.tool("sslyze"), *words, "--quiet", f"--json_out={out}", f"127.0.0.1:{port}"],
            capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return Oracle(json.loads(out.read_text())["server_scan_results"][0])

    return ask


async def facts_of(port: int) -> Facts:
    return Facts(await tls.PROBE.run(site_at(port)))


@pytest.mark.parametrize(
    ("ciphers", "least"),
    [
        ("ECDHE+AESGCM", ssl.TLSVersion.TLSv1_2),
        ("ECDHE-RSA-CHACHA20-POLY1305", ssl.TLSVersion.TLSv1_2),
        ("ALL:@SECLEVEL=0", ssl.TLSVersion.TLSv1),
        ("AES256-SHA256:@SECLEVEL=0", ssl.TLSVersion.TLSv1_2),
        ("CAMELLIA128-SHA:@SECLEVEL=0", ssl.TLSVersion.TLSv1_1),
        ("AES128-CCM:@SECLEVEL=0", ssl.TLSVersion.TLSv1_2),
        ("ADH-AES256-GCM-SHA384:@SECLEVEL=0", ssl.TLSVersion.TLSv1_2),
        ("ECDHE-RSA-NULL-SHA:@SECLEVEL=0", ssl.TLSVersion.TLSv1_2),
    ],
)
async def test_versions_and_suites(ask_sslyze, tmp_path, ciphers, least):
    with tls_server(context(certificate(tmp_path / "own.pem"), ciphers=ciphers, least=least)) as port:
        facts, oracle = await facts_of(port), ask_sslyze(port)
    assert set(facts.value("D18", "accepted")) == oracle.versions
    assert set(facts.value("D18", "versions")) == oracle.versions & {"TLSv1", "TLSv1.1"}
    forbidden = {name for name in oracle.suites("TLSv1.2") if FORBIDDEN.search(name)}
    ours = {f"TLS_{name}" for name in facts.value("D18", "suites")}
    assert ours <= forbidden
    assert bool(ours) is bool(forbidden)
    assert facts.yes("D18") is bool(forbidden or oracle.versions & {"TLSv1", "TLSv1.1"})


@pytest.mark.parametrize(("key", "days"), [("RSA 2048", 400), ("RSA 1024", 400), ("EC 256", -3), ("RSA 3072", 7)])
async def test_the_certificate(ask_sslyze, tmp_path, key, days):
    made = context(certificate(tmp_path / "own.pem", key, days), ciphers="DEFAULT:@SECLEVEL=0")
    with tls_server(made) as port:
        facts, leaf = await facts_of(port), ask_sslyze(port).leaf
    end = dt.datetime.fromisoformat(leaf["not_valid_after"])
    problems = set(facts.value("D19", "problems"))
    left = (end - dt.datetime.now(dt.UTC)).days
    assert facts.value("D19", "not_after") == int(end.timestamp())
    assert facts.value("D19", "key").split()[1] == str(leaf["public_key"]["key_size"])
    assert ("expired" in problems, "expires-soon" in problems) == (left < 0, 0 <= left < 21)
    assert ("self-signed" in problems) is (leaf["subject"]["rfc4514_string"] == leaf["issuer"]["rfc4514_string"])
    assert ("weak-key" in problems) is (leaf["public_key"]["key_size"] == 1024)
    assert facts.value("D19", "names") == (leaf["subject"]["attributes"][0]["value"],)


@pytest.mark.parametrize(("asks", "answer"), [(None, Answer.UNKNOWN), (ssl.CERT_REQUIRED, Answer.NO)])
async def test_whether_a_client_needs_a_certificate(ask_sslyze, tmp_path, asks, answer):
    """A server that lets anybody in and says nothing is not called open: nothing was said within TLS."""
    with tls_server(context(certificate(tmp_path / "own.pem"), asks=asks)) as port:
        facts, oracle = await facts_of(port), ask_sslyze(port)
    assert oracle.asks == {None: "DISABLED", ssl.CERT_REQUIRED: "REQUIRED"}[asks]
    assert facts.get("D20").answer is answer
