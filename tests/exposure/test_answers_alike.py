"""Equal answers are read once: what comes out is what reading each of them would give."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from web_fakes import Script

from leadglass.exposure.proposal import EVERYTHING, LITTLE
from leadglass.exposure.upper_layer import Silence, Talk, associate, request
from leadglass.wire.ul.codec import encode
from leadglass.wire.ul.pdu import AssociateAC, AssociateRJ, ContextResult, UserInformation


def accept(called="ANY", *, first=0, maker="1.2.3", contexts=EVERYTHING, takes=16384):
    results = tuple(ContextResult(one.id, first if place == 0 else 0, one.transfer_syntaxes[0]) for place, one in
                    enumerate(contexts))  # fmt: skip
    return encode(AssociateAC(called, "LEADGLASS", results, UserInformation(takes, maker, "X")))


def asked(pieces, contexts=EVERYTHING, called="ANY"):
    return asyncio.run(associate(Script(pieces), request(called, "LEADGLASS", contexts)))


def test_equal_answers_share_what_was_agreed_whatever_the_titles():
    one, two = asked([accept("ONE")], called="ONE"), asked([accept("TWO")], called="TWO")
    assert isinstance(one, Talk)
    assert isinstance(two, Talk)
    assert one.agreed is two.agreed
    assert len(one.accepted) == len(EVERYTHING)


@pytest.mark.parametrize("other", [accept(first=3), accept(maker="1.2.4")])
def test_other_answers_do_not(other):
    assert asked([accept()]).agreed is not asked([other]).agreed
    assert len(asked([accept(first=3)]).accepted) == len(EVERYTHING) - 1


def test_nor_the_same_answer_to_another_request():
    answer = accept(contexts=LITTLE)
    assert len(asked([answer], LITTLE).accepted) == 1
    assert asked([answer], LITTLE).agreed is not asked([answer], EVERYTHING).agreed


@given(st.integers(1, 1500), st.integers(0, 40))
def test_how_an_answer_is_cut_does_not_matter(size, more):
    whole = accept() + bytes(more)
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    found = asked(pieces)
    assert isinstance(found, Talk)
    assert found.accepted == asked([accept()]).accepted
    assert found.agreed.answer.user == asked([accept()]).agreed.answer.user


@given(st.integers(0, 1200), st.integers(1, 255))
def test_a_damaged_answer_is_judged_alike_whole_and_in_pieces(place, change):
    data = bytearray(accept())
    data[place % len(data)] ^= change
    whole, pieces = asked([bytes(data)]), asked([bytes(data[at : at + 7]) for at in range(0, len(data), 7)])
    assert type(whole) is type(pieces)
    if isinstance(whole, Talk):
        assert whole.accepted == pieces.accepted
        assert whole.agreed.answer.user == pieces.agreed.answer.user
    else:
        assert whole == pieces


def test_what_comes_behind_an_answer_is_not_lost():
    refusal = encode(AssociateRJ(1, 1, 7))
    assert asked([refusal]) == AssociateRJ(1, 1, 7)
    assert asked([]) is Silence.NOTHING
    assert asked([b"HTTP/1.1 400 Bad Request\r\n\r\n"]) is Silence.NOT_DICOM


@pytest.mark.parametrize("takes", [1, 7, 12])
def test_who_takes_too_little_for_any_message_is_not_talked_to(takes):
    """Else the first question would end the audit."""
    assert asked([accept(takes=takes)]) is Silence.MALFORMED
