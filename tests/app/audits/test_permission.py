"""No scope, no audit: unsigned, changed, expired and unknown permissions contact nobody."""

import datetime as dt
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from leadglass.app.audits.scope_file import read_scope
from leadglass.app.audits.trust import Trust, binds_nobody, check_permission, signature_of
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.exposure.service import Service

GOOD = """
[permission]
title = "Ours"
authorised_by = "The board"
contact = "mailto:it@example.org"
from = 2026-01-01
until = 2026-03-01
[targets]
networks = ["192.0.2.0/24", "198.51.100.3-198.51.100.9", "2001:db8::/120"]
names = ["PACS.example.org."]
exclude = ["192.0.2.7", "old.example.org"]
ports = [104, 11112, 104]
[asking]
sample = 3
[pace]
per_host = 1
"""
THEN = dt.datetime(2026, 2, 1, tzinfo=dt.UTC).timestamp()


def refused(text: str) -> str:
    with pytest.raises(LeadglassError) as error:
        read_scope(text.encode(), "scope.toml")
    assert error.value.code is ErrorCode.USAGE
    return error.value.comment


def test_a_scope_says_what_may_be_contacted():
    scope = read_scope(GOOD.encode(), "scope.toml").scope
    assert sum(network.num_addresses for network in scope.networks) == 256 + 7 + 256
    assert scope.names == ("pacs.example.org",)
    assert (scope.excluded_names, len(scope.exclusions)) == (("old.example.org",), 1)
    assert scope.ports == (104, 11112)
    assert (scope.sample, scope.pace.per_host, scope.count_patients) == (3, 1.0, False)


def test_resolvers_have_port_53_unless_it_says_another():
    listed = 'resolvers = ["192.0.2.53", "192.0.2.53:5353", "2001:db8::53", "[2001:DB8::53]:5353"]\n[asking]'
    scope = read_scope(GOOD.replace("[asking]", listed).encode(), "scope.toml").scope
    four, six = "192.0.2.53", "2001:db8::53"
    assert scope.resolvers == (Service(four, 53), Service(four, 5353), Service(six, 53), Service(six, 5353))
    assert not scope.reverse_names
    assert read_scope(GOOD.replace("sample = 3", "reverse_names = true").encode(), "s").scope.reverse_names


def test_a_scope_of_loopback_that_asks_somebody_elses_resolver_needs_a_signature():
    own = GOOD.replace(GOOD[GOOD.index("networks") : GOOD.index("ports")], 'networks = ["127.0.0.0/8"]\n')
    for resolver, nobody in (("127.0.0.53", True), ("192.0.2.53", False)):
        text = own.replace("[asking]", f'resolvers = ["{resolver}"]\n[asking]')
        assert binds_nobody(read_scope(text.encode(), "scope.toml").scope) is nobody


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ('authorised_by = "The board"', 'authorised_by = " "', "permission.authorised_by"),
        ('authorised_by = "The board"', "", "permission.authorised_by"),
        ("until = 2026-03-01", "until = 2025-03-01", "permission.until"),
        ("until = 2026-03-01", "until = 2036-03-01", "permission.until"),
        ("until = 2026-03-01", 'until = "soon"', "permission.until"),
        ('"192.0.2.0/24"', '"192.0.2.1/24"', "targets.networks"),
        ("[asking]", 'resolvers = ["dns.example.org"]\n[asking]', "targets.resolvers"),
        ("[asking]", 'resolvers = ["192.0.2.53:99999"]\n[asking]', "targets.resolvers"),
        ("[asking]", 'resolvers = ["2001:db8::53:5353:"]\n[asking]', "targets.resolvers"),
        ("[asking]", f"resolvers = {['192.0.2.53'] * 9}\n[asking]", "targets.resolvers"),
        ('"PACS.example.org."', f'"{"a." * 130}example"', "targets.names"),
        ('"192.0.2.0/24"', '"everything"', "targets.networks"),
        ('"198.51.100.3-198.51.100.9"', '"198.51.100.9-198.51.100.3"', "targets.networks"),
        ('"198.51.100.3-198.51.100.9"', '"198.51.100.9-2001:db8::1"', "targets.networks"),
        ("ports = [104, 11112, 104]", "ports = [0]", "targets.ports"),
        ("ports = [104, 11112, 104]", "ports = []", "targets.ports"),
        ('"PACS.example.org."', '"192.0.2.1"', "targets.names"),
        ("sample = 3", "sample = 11", "asking.sample"),
        ("sample = 3", "sampel = 3", "asking.sampel"),
        ("per_host = 1", "per_host = 0", "pace.per_host"),
    ],
)
def test_a_fault_names_its_key(old, new, names):
    assert old in GOOD
    assert names in refused(GOOD.replace(old, new))


def test_there_is_no_default_target():
    text = GOOD.replace('networks = ["192.0.2.0/24", "198.51.100.3-198.51.100.9", "2001:db8::/120"]', "networks = []")
    assert "no default target" in refused(text.replace('names = ["PACS.example.org."]', ""))
    assert "not TOML" in refused("[permission")


@pytest.fixture
def signed(tmp_path):
    path = tmp_path / "scope.toml"
    path.write_text(GOOD)
    trust = Trust(tmp_path / "keys")
    trust.sign(path)
    return path, trust


def checked(path, trust, now=THEN):
    data = path.read_bytes()
    beside = signature_of(path)
    signature = beside.read_bytes() if beside.exists() else None
    return check_permission(read_scope(data, "s").scope, data, signature, trust, now)


def test_what_was_signed_here_is_believed_and_the_key_is_ours_alone(signed, tmp_path):
    path, trust = signed
    assert checked(path, trust) == "own"
    assert (tmp_path / "keys" / "own.key").stat().st_mode & 0o077 == 0


def test_unsigned_changed_foreign_expired_and_early_scopes_are_refused(signed, tmp_path):
    path, trust = signed
    other = tmp_path / "other"
    other.mkdir()
    stranger = Trust(tmp_path / "strangers")
    for now in (0.0, dt.datetime(2026, 3, 1, tzinfo=dt.UTC).timestamp()):
        with pytest.raises(LeadglassError) as error:
            checked(path, trust, now)
        assert error.value.code is ErrorCode.UNSAFE
    with pytest.raises(LeadglassError):
        checked(path, stranger)
    path.write_text(GOOD.replace("192.0.2.0/24", "203.0.113.0/24"))
    with pytest.raises(LeadglassError, match="changed"):
        checked(path, trust)
    signature_of(path).write_bytes(b"no signature")
    with pytest.raises(LeadglassError, match="none"):
        checked(path, trust)
    signature_of(path).unlink()
    with pytest.raises(LeadglassError, match="not signed"):
        checked(path, trust)


def test_an_enrolled_key_is_believed_and_a_scope_of_loopback_needs_none(signed, tmp_path):
    path, _ = signed
    stranger = Trust(tmp_path / "strangers")
    stranger.enrol("hospital", (tmp_path / "keys" / "trusted" / "own.pem").read_bytes())
    assert checked(path, stranger) == "hospital"
    key = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for name in ("../evil", "", ".hidden/x"):
        with pytest.raises(LeadglassError):
            stranger.enrol(name, key)
    with pytest.raises(LeadglassError):
        stranger.enrol("none", b"no key")
    lab = tmp_path / "lab.toml"
    lab.write_text(
        "\n".join(
            json.dumps(["127.0.0.0/8"]).join(("networks = ", "")) if line.startswith("networks") else line
            for line in GOOD.splitlines()
            if not line.startswith("names")
        )
    )
    assert checked(lab, stranger) == ""
