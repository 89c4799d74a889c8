"""The decision table, walked: every row, with everything given and with nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from leadglass.access import study_policy
from leadglass.access.study_policy import RIGHTS_OF_SCOPE, TABLE, By, Given, Who, decide
from leadglass.core.principal import DEVICE_RIGHTS, Right
from leadglass.core.reach import EVERYTHING, NOTHING, Reach
from leadglass.core.tokens import Scope

LISTS = Reach(studies=frozenset({"1.2"}), patients=frozenset({("", "P1")}))
INSTITUTIONS = Reach(institutions=frozenset({"nord"}))
REFERRING = Reach(referring=frozenset({"verdi^ugo"}))
GRANTS = Reach(studies=frozenset({"9.9"}))
ALL_GIVEN = Given(frozenset(Scope), frozenset(Right), LISTS | INSTITUTIONS | REFERRING, GRANTS)

READ = {Right.FIND, Right.RETRIEVE}
PROGRAM = READ | {Right.ECHO, Right.STORE, Right.DELETE}
WHOLE = {Right.ADMINISTER, Right.READ_JOURNAL}

# who: (rights, reach) with everything given but "everything"; what a reviewer should find in the table.
EXPECTED = {
    Who.SYSTEM: (set(Right), EVERYTHING),
    Who.OPERATOR: (set(Right), EVERYTHING),
    Who.DEVICE: (set(DEVICE_RIGHTS), EVERYTHING),
    Who.TOKEN: (PROGRAM, LISTS | GRANTS),
    Who.OPENID: (PROGRAM, LISTS | INSTITUTIONS | REFERRING | GRANTS),
    Who.ADMINISTRATOR: (PROGRAM | {Right.ADMINISTER}, EVERYTHING),
    Who.CLINICIAN: (READ, INSTITUTIONS | REFERRING | GRANTS),
    Who.TECHNOLOGIST: (READ | {Right.STORE}, INSTITUTIONS | GRANTS),
    Who.RESEARCHER: (set(), NOTHING),
    Who.AUDITOR: ({Right.READ_JOURNAL}, NOTHING),
}


def test_every_kind_has_a_row_and_an_expectation_and_a_line_for_the_reviewer() -> None:
    assert TABLE.keys() == EXPECTED.keys() == set(Who)
    shown = {line.split("|")[1].strip() for line in (study_policy.__doc__ or "").splitlines() if line.startswith("|")}
    assert {who.value for who in Who} <= shown


@pytest.mark.parametrize("who", Who)
def test_a_row_gives_what_it_says(who: Who) -> None:
    rights, reach = EXPECTED[who]
    assert decide(who, ALL_GIVEN) == study_policy.Decision(frozenset(rights), reach)


@pytest.mark.parametrize("who", [who for who in Who if TABLE[who].chosen is not By.ROLE])
def test_nobody_has_rights_that_were_not_given(who: Who) -> None:
    nothing = decide(who, Given())
    assert nothing.rights == frozenset()
    assert nothing.reach in (NOTHING, EVERYTHING if who is Who.DEVICE else NOTHING)


@pytest.mark.parametrize("who", [Who.CLINICIAN, Who.TECHNOLOGIST, Who.RESEARCHER, Who.AUDITOR])
def test_a_role_of_limited_reach_stays_limited_whatever_is_given(who: Who) -> None:
    assert not decide(who, replace(ALL_GIVEN, reach=EVERYTHING)).reach.everything
    assert decide(who, Given()).reach == NOTHING


@pytest.mark.parametrize("who", [Who.TOKEN, Who.OPENID])
def test_rights_over_the_whole_archive_need_a_reach_of_everything(who: Who) -> None:
    assert decide(who, ALL_GIVEN).rights & WHOLE == frozenset()
    unlimited = decide(who, replace(ALL_GIVEN, reach=EVERYTHING))
    assert (unlimited.rights, unlimited.reach) == (PROGRAM | WHOLE, EVERYTHING)


@pytest.mark.parametrize("scope", Scope)
def test_a_scope_means_its_own_rights_alone(scope: Scope) -> None:
    given = Given(scopes=frozenset({scope}), reach=EVERYTHING)
    assert decide(Who.TOKEN, given).rights == RIGHTS_OF_SCOPE[scope]
    others = {other for other in Scope if other is not scope}
    own = RIGHTS_OF_SCOPE[scope] - {Right.ECHO}
    assert own
    assert not any(own & RIGHTS_OF_SCOPE[other] for other in others)
