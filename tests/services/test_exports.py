"""Encrypted copies: who may fetch which study, until when, and with which passphrase."""

from __future__ import annotations

from dataclasses import replace

import pytest
from objects import store_one, study_uid, whole_study
from people_support import Moments

from leadglass.app.archive import Archive
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import Principal, PrincipalKind, Right
from leadglass.core.reach import Reach
from leadglass.services.exports import LASTS, Exports

READER = Principal(
    PrincipalKind.PERSON,
    "rossi",
    frozenset({Right.FIND, Right.RETRIEVE}),
    "192.0.2.7",
    reach=Reach(studies=frozenset({study_uid(1), study_uid(2)})),
)


def code_of(work: object) -> ErrorCode:
    assert callable(work)
    with pytest.raises(LeadglassError) as refused:
        work()
    return refused.value.code


@pytest.fixture
async def exports(archive: Archive) -> tuple[Exports, Moments]:
    for number in (1, 2, 3):
        await store_one(archive, number)
    clock = Moments()
    made = Exports(
        archive.gate, catalog=archive.catalog, journal=archive.journal, token_key=archive.keys.token, now=clock
    )
    return made, clock


async def test_the_passphrase_that_was_shown_is_the_one_it_is_encrypted_with(
    exports: tuple[Exports, Moments],
) -> None:
    made, _ = exports
    offered, other = made.offer(READER, whole_study(1)), made.offer(READER, whole_study(1))
    assert made.redeem(READER, whole_study(1), offered.ticket) == offered.passphrase != other.passphrase
    assert len(offered.passphrase.replace("-", "")) == 24
    assert offered.passphrase not in repr(offered) and offered.ticket not in repr(offered)


async def test_a_ticket_is_one_persons_for_one_study_for_half_an_hour(exports: tuple[Exports, Moments]) -> None:
    made, clock = exports
    ticket = made.offer(READER, whole_study(1)).ticket
    for who, study, text in (
        (replace(READER, name="bianchi"), 1, ticket),
        (READER, 2, ticket),
        (READER, 1, ticket[:-1] + ("A" if ticket[-1] != "A" else "B")),
        (READER, 1, ""),
        (replace(READER, kind=PrincipalKind.PROGRAM), 1, ticket),
        (replace(READER, kind=PrincipalKind.SHARE), 1, ticket),
    ):
        assert code_of(lambda w=who, s=study, t=text: made.redeem(w, whole_study(s), t)) is ErrorCode.NOT_AUTHORISED
    clock.now += LASTS
    assert code_of(lambda: made.redeem(READER, whole_study(1), ticket)) is ErrorCode.NOT_AUTHORISED


async def test_what_is_out_of_reach_is_not_there(exports: tuple[Exports, Moments]) -> None:
    made, _ = exports
    assert code_of(lambda: made.offer(READER, whole_study(3))) is ErrorCode.NOT_FOUND
    ticket = made.offer(READER, whole_study(1)).ticket
    narrowed = replace(READER, reach=Reach(studies=frozenset({study_uid(2)})))
    assert code_of(lambda: made.redeem(narrowed, whole_study(1), ticket)) is ErrorCode.NOT_FOUND
