"""Whose a network is, from files of several kinds: what an earlier one leaves empty the next one fills."""

from __future__ import annotations

import builtins
import json

import mmdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass.app.audits.owner_files import read_owner_files
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.exposure.facts import Answer, Fact, Facts
from leadglass.exposure.owners import Owner
from tests.exposure.test_rdap import ANSWER

CITY = {"country": {"iso_code": "IT"}, "city": {"names": {"en": "Inventata"}}}
SYSTEM = {"autonomous_system_number": 64500, "autonomous_system_organization": "Invented Provider \x1b[31m"}


@pytest.fixture
def files(tmp_path):
    (tmp_path / "owners.csv").write_text("network,organisation\n192.0.2.0/28,Clinica Inventata\n")
    (tmp_path / "rdap.json").write_text(json.dumps(ANSWER))
    rows = {"192.0.2.0/24": CITY, "2001:db8::/32": {"registered_country": {"iso_code": "US"}}}
    (tmp_path / "country.mmdb").write_bytes(mmdb.written(rows))
    (tmp_path / "asn.mmdb").write_bytes(mmdb.written({"192.0.2.0/25": SYSTEM}, version=4))
    return {path.stem: path for path in tmp_path.iterdir()}


def test_earlier_files_go_first_and_later_ones_fill(files):
    owners = read_owner_files([files["owners"], files["asn"], files["country"], files["rdap"]])
    assert owners.of("192.0.2.5") == Owner("192.0.2.0/28", "IT", "Clinica Inventata", "abuse@provider.example")
    assert owners.of("192.0.2.77") == Owner("192.0.2.0/25", "IT", "Invented Provider [31m", "abuse@provider.example")
    assert owners.of("2001:db8::5") == Owner("2001:db8::/32", "US")
    assert owners.of("198.51.100.1") == Owner()
    assert read_owner_files([files["rdap"], files["owners"]]).of("192.0.2.5").organisation == "Invented Imaging"


def test_what_the_service_says_itself_goes_before_any_file(files):
    said = Facts([Fact("W11", Answer.YES, "", {"contact": ("mailto:security@clinica.example",)})])
    owner = read_owner_files([files["rdap"]]).of("192.0.2.5", said)
    assert (owner.organisation, owner.contact) == ("Invented Imaging", "mailto:security@clinica.example")


def test_without_a_file_nothing_is_known():
    assert read_owner_files([]).of("192.0.2.5") == Owner()


@pytest.mark.parametrize("cut", [20, 60, 200])
def test_a_damaged_database_is_refused_in_a_sentence(files, tmp_path, cut):
    whole = files["country"].read_bytes()
    mark = whole.index(b"\xab\xcd\xefMaxMind.com")
    path = tmp_path / "damaged.mmdb"
    path.write_bytes(whole[:mark][:-cut] + whole[mark : mark + 14] + b"\xff" * 30)
    with pytest.raises(LeadglassError, match="damaged") as refused:
        read_owner_files([path]).of("192.0.2.5")
    assert refused.value.code is ErrorCode.USAGE


def test_a_database_with_a_hole_is_refused_when_it_is_asked(files, tmp_path):
    whole = bytearray(files["asn"].read_bytes())
    mark = whole.index(b"\xab\xcd\xefMaxMind.com")
    start = whole.index(b"autonomous")
    whole[start - 3 : mark] = b"\xff" * (mark - start + 3)
    path = tmp_path / "hole.mmdb"
    path.write_bytes(whole)
    with pytest.raises(LeadglassError, match="damaged"):
        read_owner_files([path]).of("192.0.2.5")


@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_database_with_any_bytes_changed_says_something_or_is_refused(tmp_path_factory, changes):
    data = bytearray(mmdb.written({"192.0.2.0/24": CITY, "2001:db8::/32": SYSTEM}))
    for place, byte in changes:
        data[-1 - place % len(data)] = byte
    path = tmp_path_factory.getbasetemp() / "changed.mmdb"
    path.write_bytes(data)
    try:
        owners = read_owner_files([path])
        assert all(len(owners.of(address).organisation) <= 120 for address in ("192.0.2.7", "2001:db8::1"))
    except LeadglassError as refused:
        assert refused.code is ErrorCode.USAGE


def test_without_the_library_it_says_how_to_get_it(files, monkeypatch):
    load = builtins.__import__

    def missing(name, *rest):
        if name == "maxminddb":
            raise ImportError
        return load(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(LeadglassError, match=r"leadglass\[maxmind\]") as refused:
        read_owner_files([files["country"]])
    assert refused.value.code is ErrorCode.UNAVAILABLE


@pytest.mark.parametrize("text", ["{", "[1, 2]", "a,b\n1,2\n", '{"a": 1}'])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "other").write_text(text)
    with pytest.raises(LeadglassError) as refused:
        read_owner_files([tmp_path / "other"])
    assert refused.value.code is ErrorCode.USAGE
