"""Certificates and passcodes from the command line: what is handed over, what is kept, what is refused."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path
from typing import Any

import archives
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12
from enrolling import enrol_with_certificate, leadglass

from leadglass.app.home import Home

ADD = ("--title", "CT1", "--network", "10.20.0.0/16")  # so wide that only a certificate makes it safe
PASSWORD = "stable battery 12"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return archives.make(tmp_path_factory.mktemp("archive"), [])


def openssl(*words: object) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, timeout=60)


def shown(home: Home, name: str) -> dict[str, Any]:
    device: dict[str, Any] = json.loads(leadglass(home, "device", "show", name).stdout)
    return device


def issued(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_the_private_key_is_handed_over_once_and_not_kept(home: Home, tmp_path: Path) -> None:
    papers = enrol_with_certificate(home, tmp_path, "ONCE")
    key = load_pem_private_key(papers.key.read_bytes(), None)
    assert key.public_key() == issued(papers.certificate).public_key()
    (bound,) = shown(home, "once")["certificates"]
    assert bound["binding"] == "issued"
    assert "PRIVATE" not in json.dumps(shown(home, "once"))
    with archives.opened(home) as archive:
        (kept,) = (item for item in archive.state.devices() if item.name == "once")
        assert kept.certificates[0].authority == ""


def test_a_pkcs12_file_needs_its_password(home: Home, tmp_path: Path) -> None:
    words = ("device", "add", "p12", *ADD, "--cert", "--pkcs12", "--out", tmp_path)
    leadglass(home, *words, typed=PASSWORD + "\n")
    (path,) = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key, certificate, others = pkcs12.load_key_and_certificates(path.read_bytes(), PASSWORD.encode())
    assert key is not None and certificate is not None and len(others) == 1
    with pytest.raises(ValueError, match="password"):
        pkcs12.load_key_and_certificates(path.read_bytes(), b"another")


def test_a_short_password_enrols_nobody(home: Home, tmp_path: Path) -> None:
    words = ("device", "add", "short", *ADD, "--cert", "--pkcs12", "--out", tmp_path)
    assert leadglass(home, *words, typed="1234\n", check=False).returncode == 3
    assert leadglass(home, "device", "show", "short", check=False).returncode == 5
    assert list(tmp_path.iterdir()) == []


def test_a_request_of_openssl_is_signed(home: Home, tmp_path: Path) -> None:
    key, request = tmp_path / "mine.key", tmp_path / "mine.csr"
    openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", "/CN=whatever")
    leadglass(home, "device", "add", "csr1", *ADD, "--csr", request, "--out", tmp_path)
    certificate = issued(tmp_path / "csr1.cert.pem")
    assert certificate.subject.rfc4514_string() == "CN=csr1"
    assert not (tmp_path / "csr1.key.pem").exists()
    openssl("verify", "-CAfile", tmp_path / "csr1.ca.pem", tmp_path / "csr1.cert.pem")


def test_an_existing_certificate_is_pinned(home: Home, tmp_path: Path) -> None:
    key, path = tmp_path / "k", tmp_path / "c"
    words = ("-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", path, "-days", "9", "-subj", "/CN=ct")
    openssl("req", *words)
    leadglass(home, "device", "add", "pin1", *ADD, "--pin", path)
    (bound,) = shown(home, "pin1")["certificates"]
    assert (bound["binding"], bound["value"]) == ("pinned", issued(path).fingerprint(SHA256()).hex())


def test_a_foreign_ca_needs_a_subject(home: Home, tmp_path: Path) -> None:
    key, path = tmp_path / "k", tmp_path / "c"
    words = ("-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", path, "-days", "9", "-subj", "/CN=ca")
    openssl("req", *words)
    assert leadglass(home, "device", "add", "ca1", *ADD, "--ca", path, check=False).returncode == 2
    leadglass(home, "device", "add", "ca1", *ADD, "--ca", path, "--subject", "CN=ct1,O=Hospital")
    (bound,) = shown(home, "ca1")["certificates"]
    assert (bound["binding"], bound["value"]) == ("authority", "CN=ct1,O=Hospital")


def test_nothing_is_overwritten_and_a_refused_enrolment_leaves_no_file(home: Home, tmp_path: Path) -> None:
    there = tmp_path / "late.cert.pem"
    there.write_text("mine")
    assert leadglass(home, "device", "add", "late", *ADD, "--cert", "--out", tmp_path, check=False).returncode == 2
    assert there.read_text() == "mine"
    assert leadglass(home, "device", "show", "late", check=False).returncode == 5
    there.unlink()
    words = ("--title", "CT1", "--network", "8.8.8.8", "--plain", "--cert", "--out", tmp_path)
    assert leadglass(home, "device", "add", "late", *words, check=False).returncode == 3
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../evil", "a/b", "", ".."])
def test_a_name_is_no_path(home: Home, tmp_path: Path, name: str) -> None:
    words = ("device", "add", name, *ADD, "--cert", "--out", tmp_path / "in")
    (tmp_path / "in").mkdir()
    assert leadglass(home, *words, check=False).returncode == 2
    assert [path.name for path in tmp_path.rglob("*")] == ["in"]


def test_certificates_are_replaced_or_kept_beside_the_new(home: Home, tmp_path: Path) -> None:
    first = enrol_with_certificate(home, tmp_path, "ROLL")
    (tmp_path / "next").mkdir()
    leadglass(home, "device", "certify", "roll", "--cert", "--keep", "--out", tmp_path / "next")
    second = tmp_path / "next" / "roll.cert.pem"
    values = [item["value"] for item in shown(home, "roll")["certificates"]]
    assert values == [issued(path).fingerprint(SHA256()).hex() for path in (first.certificate, second)]
    (tmp_path / "last").mkdir()
    leadglass(home, "device", "certify", "roll", "--cert", "--out", tmp_path / "last")
    assert len(shown(home, "roll")["certificates"]) == 1


def test_a_passcode_is_read_from_input_and_kept_as_a_hash(home: Home, tmp_path: Path) -> None:
    leadglass(home, "device", "add", "pc1", *ADD, "--cert", "--out", tmp_path, "--passcode", typed=PASSWORD + "\n")
    assert shown(home, "pc1")["passcode_hash"] == "set"
    with archives.opened(home) as archive:
        device = archive.state.device("pc1")
    assert device is not None and device.passcode_hash.startswith("$argon2id$")
    leadglass(home, "device", "passcode", "pc1", "--off")
    assert shown(home, "pc1")["passcode_hash"] == ""
    file = tmp_path / "passcode"
    file.write_text(PASSWORD + "\n")
    leadglass(home, "device", "passcode", "pc1", "--passcode-file", file)
    assert shown(home, "pc1")["passcode_hash"] == "set"


def test_a_passcode_is_long_and_never_for_plain(home: Home, tmp_path: Path) -> None:
    words = ("device", "add", "pc2", *ADD, "--cert", "--out", tmp_path, "--passcode")
    assert leadglass(home, *words, typed="short\n", check=False).returncode == 2
    plain = ("device", "add", "pc3", "--title", "X", "--network", "10.0.0.9", "--plain", "--passcode")
    assert leadglass(home, *plain, typed=PASSWORD + "\n", check=False).returncode == 2


def test_a_devices_defaults_and_limits_are_set(home: Home) -> None:
    words = ("--title", "US", "--network", "10.0.0.8", "--plain", "--issuer", "North", "--character-set", "ISO_IR 144")
    limits = ("--associations", 3, "--idle-minutes", 90, "--query-limit", 50)
    kinds = ("--transfer-syntax", "1.2.840.10008.1.2.1", "--sop-class", "1.2.3.4.5")
    leadglass(home, "device", "add", "us1", *words, *limits, *kinds)
    seen = shown(home, "us1")
    assert (seen["max_associations"], seen["idle_timeout"], seen["query_limit"]) == (3, 5400, 50)
    assert (seen["transfer_syntaxes"], seen["private_sop_classes"]) == (["1.2.840.10008.1.2.1"], ["1.2.3.4.5"])
    assert (seen["issuer"], seen["character_set"]) == ("North", "ISO_IR 144")
    wrong = leadglass(home, "device", "add", "us2", *words, "--sop-class", "CT", check=False)
    assert wrong.returncode == 2


def test_the_journal_tells_what_was_issued(home: Home, tmp_path: Path) -> None:
    papers = enrol_with_certificate(home, tmp_path, "TOLD")
    value = shown(home, "told")["certificates"][0]["value"]
    text = leadglass(home, "journal", "show", "--json").stdout
    assert value in text
    assert "certificate-issued" in text
    assert papers.key.read_text().splitlines()[1] not in text
