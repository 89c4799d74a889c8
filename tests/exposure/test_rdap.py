"""Answers of RDAP: who is named and whom to write to; placeholders are nobody."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass.exposure.owners import Owner
from leadglass.exposure.rdap import read_rdap


def entity(role, *, inside=(), **card):
    entries = [["version", {}, "text", "4.0"], *([name, {}, "text", value] for name, value in card.items())]
    return {"objectClassName": "entity", "roles": [role], "vcardArray": ["vcard", entries], "entities": list(inside)}


ANSWER = {
    "objectClassName": "ip network",
    "startAddress": "192.0.2.0",
    "endAddress": "192.0.2.255",
    "name": "INVENTED-NET",
    "country": "us",
    "entities": [
        entity("registrant", fn="Invented Imaging", email="REDACTED FOR PRIVACY",
               inside=[entity("abuse", fn="Abuse Desk", email="abuse@provider.example")]),
    ],
}  # fmt: skip


def of(answer, address="192.0.2.7"):
    return read_rdap(json.dumps(answer).encode()).of(address)


def test_the_registrant_is_named_and_the_abuse_desk_is_written_to():
    assert of(ANSWER) == Owner("192.0.2.0/24", "US", "Invented Imaging", "abuse@provider.example")


def test_placeholders_are_nobody():
    hidden = [entity("registrant", fn="Redacted for privacy"), entity("abuse", email="noreply@provider.example")]
    assert of({**ANSWER, "entities": hidden}) == Owner("192.0.2.0/24", "US", "INVENTED-NET", "")


def test_an_organisation_goes_before_a_person():
    assert of({**ANSWER, "entities": [entity("registrant", fn="Somebody", org="Clinic")]}).organisation == "Clinic"


def test_a_range_is_all_networks_in_it():
    ranged = {**ANSWER, "startAddress": "192.0.2.4", "endAddress": "192.0.2.9"}
    assert [of(ranged, f"192.0.2.{last}").network for last in (3, 4, 8, 9, 10)] == [
        "", "192.0.2.4/30", "192.0.2.8/31", "192.0.2.8/31", "",
    ]  # fmt: skip


@pytest.mark.parametrize("join", [json.dumps, lambda rows: "\n".join(map(json.dumps, rows))])
def test_several_answers_in_one_file(join):
    six = {**ANSWER, "startAddress": "2001:db8::", "endAddress": "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"}
    found = read_rdap(join([ANSWER, six]).encode())
    assert found.of("2001:db8::1").organisation == found.of("192.0.2.1").organisation == "Invented Imaging"


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"startAddress": "192.0.2.9", "endAddress": "192.0.2.0"},
        {"startAddress": "192.0.2.9", "endAddress": "2001:db8::"},
        {"startAddress": 7, "endAddress": None},
    ],
)
def test_an_answer_without_a_network_is_none(answer):
    with pytest.raises(ValueError, match="no RDAP answer"):
        of(answer)


def test_entities_without_end_are_read_to_a_depth():
    deep = entity("abuse", email="deep@provider.example")
    for _ in range(50):
        deep = entity("other", inside=[deep])
    assert of({**ANSWER, "entities": [deep]}).contact == ""
    with pytest.raises(ValueError, match="not JSON"):
        read_rdap(b"[" * 100_000)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["entities", "roles", "vcardArray", "country", "name"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["entities", "country", "name"]), JSON))
def test_whatever_else_is_in_it_an_owner_comes_out(more):
    owner = of({**more, "startAddress": "192.0.2.0", "endAddress": "192.0.2.255"})
    assert owner.network == "192.0.2.0/24"
    assert all(text.isprintable() and len(text) <= 200 for text in (owner.country, owner.organisation, owner.contact))
