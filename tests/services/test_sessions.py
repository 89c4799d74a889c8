"""Who a browser's cookie is: until it is ended, expires or idles, at its own origin, with present rights."""

from __future__ import annotations

from dataclasses import replace

import pytest
from objects import study_uid

from leadglass.app.archive import Archive
from leadglass.core.accounts import Account, Role
from leadglass.core.principal import Right
from leadglass.core.reach import EVERYTHING, Reach
from leadglass.core.sessions import Audience
from leadglass.core.tokens import Grant
from leadglass.services.sessions import ABSOLUTE, EMERGENCY, IDLE, RAISED, SEEN, Known, Sessions

HERE = Known("192.0.2.7", "a browser")


class Clock:
    now = 1_800_000_000_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(archive: Archive, clock: Clock) -> Sessions:
    return Sessions(archive.state.people, archive.state, archive.keys.token, clock)


def account(archive: Archive, name: str = "rossi", *roles: Role) -> Account:
    made = Account(name, "Anna", frozenset(roles or {Role.CLINICIAN}), 1, "setup", institutions=frozenset({"NORD"}))
    assert archive.state.people.add_account(made)
    return made


def test_a_cookie_lets_in_at_its_own_origin_until_it_is_ended(archive: Archive, sessions: Sessions) -> None:
    cookie = sessions.begin(account(archive), Audience.PAGES, HERE)
    person = sessions.person(cookie, Audience.PAGES, "192.0.2.8")
    assert person is not None and person.principal.address == "192.0.2.8"
    assert person.principal.rights == {Right.FIND, Right.RETRIEVE}
    assert person.principal.reach == Reach(institutions=frozenset({"NORD"}))
    assert sessions.person(cookie, Audience.VIEWER, "") is None
    assert sessions.person(cookie[:-1] + ("A" if cookie[-1] != "A" else "B"), Audience.PAGES, "") is None
    assert sessions.still_valid(person)
    sessions.end(person)
    assert sessions.person(cookie, Audience.PAGES, "") is None
    assert not sessions.still_valid(person)


def test_sessions_idle_and_expire_and_requests_keep_them_from_idling(
    archive: Archive, sessions: Sessions, clock: Clock
) -> None:
    owner = account(archive)
    idle, busy = (sessions.begin(owner, Audience.PAGES, HERE) for _ in range(2))
    begun = clock.now
    while clock.now < begun + ABSOLUTE - IDLE:
        clock.now += IDLE // 2
        assert sessions.person(busy, Audience.PAGES, "") is not None
    assert sessions.person(idle, Audience.PAGES, "") is None
    clock.now = begun + ABSOLUTE
    assert sessions.person(busy, Audience.PAGES, "") is None


def test_a_request_at_another_process_keeps_a_session_awake(archive: Archive, sessions: Sessions, clock: Clock) -> None:
    other = Sessions(archive.state.people, archive.state, archive.keys.token, clock)
    cookie = sessions.begin(account(archive), Audience.PAGES, HERE)
    assert sessions.person(cookie, Audience.PAGES, "") is not None
    for _ in range(3):
        clock.now += IDLE - SEEN
        assert other.person(cookie, Audience.PAGES, "") is not None
    assert sessions.person(cookie, Audience.PAGES, "") is not None


def test_a_disabled_account_and_a_lost_role_act_on_the_next_request(archive: Archive, sessions: Sessions) -> None:
    cookie = sessions.begin(account(archive, "rossi", Role.TECHNOLOGIST), Audience.PAGES, HERE)
    person = sessions.person(cookie, Audience.PAGES, "")
    assert person is not None and Right.STORE in person.principal.rights
    archive.state.people.change_account("rossi", lambda one: replace(one, roles=frozenset({Role.CLINICIAN})))
    lesser = sessions.person(cookie, Audience.PAGES, "")
    assert lesser is not None and Right.STORE not in lesser.principal.rights
    assert not sessions.still_valid(person)
    archive.state.people.change_account("rossi", lambda one: replace(one, disabled=5))
    assert sessions.person(cookie, Audience.PAGES, "") is None


def test_a_viewer_reads_its_studies_and_never_beyond_its_owners_reach(archive: Archive, sessions: Sessions) -> None:
    clinician, chief = account(archive), account(archive, "chief", Role.ADMINISTRATOR)
    archive.state.put_grant(Grant("rossi", study_uid=study_uid(1)))
    opened = Known(studies=frozenset({study_uid(1), study_uid(2)}))
    for owner, reach in ((clinician, None), (chief, Reach(studies=opened.studies))):
        cookie = sessions.begin(owner, Audience.VIEWER, opened)
        person = sessions.person(cookie, Audience.VIEWER, "")
        assert person is not None and person.principal.rights == {Right.FIND, Right.RETRIEVE}
        assert reach is None or person.principal.reach == reach
        assert person.principal.reach.names(study_uid(1), "", "")
        assert not person.principal.reach.names(study_uid(3), "", "")
        assert person.principal.reach.names(study_uid(2), "", "") is (owner is chief)


def test_breaking_the_glass_reaches_everything_for_an_hour(archive: Archive, sessions: Sessions, clock: Clock) -> None:
    cookie = sessions.begin(account(archive), Audience.PAGES, Known(emergency="resuscitation room"))
    person = sessions.person(cookie, Audience.PAGES, "")
    assert person is not None and person.principal.reach == EVERYTHING
    assert person.principal.rights == {Right.FIND, Right.RETRIEVE}
    clock.now += EMERGENCY
    assert sessions.person(cookie, Audience.PAGES, "") is None


def test_an_auditor_breaks_no_glass(archive: Archive, sessions: Sessions) -> None:
    cookie = sessions.begin(account(archive, "audit", Role.AUDITOR), Audience.PAGES, Known(emergency="curious"))
    person = sessions.person(cookie, Audience.PAGES, "")
    assert person is not None and person.principal.rights == {Right.READ_JOURNAL}
    assert not person.principal.reach.everything


def test_a_proof_is_fresh_for_five_minutes(archive: Archive, sessions: Sessions, clock: Clock) -> None:
    cookie = sessions.begin(account(archive), Audience.PAGES, HERE)
    person = sessions.person(cookie, Audience.PAGES, "")
    assert person is not None and sessions.fresh(person)
    clock.now += RAISED
    assert not sessions.fresh(person)


def test_sessions_that_came_from_another_end_with_it(archive: Archive, sessions: Sessions) -> None:
    owner = account(archive)
    pages = sessions.begin(owner, Audience.PAGES, HERE)
    person = sessions.person(pages, Audience.PAGES, "")
    assert person is not None
    viewer = sessions.begin(
        owner, Audience.VIEWER, Known(studies=frozenset({study_uid(1)}), parent=person.session.digest)
    )
    assert sessions.person(viewer, Audience.VIEWER, "") is not None
    sessions.end(person)
    assert sessions.person(viewer, Audience.VIEWER, "") is None


def test_a_session_that_came_from_another_does_not_outlast_it(
    archive: Archive, sessions: Sessions, clock: Clock
) -> None:
    owner = account(archive)
    pages = sessions.begin(owner, Audience.PAGES, Known(emergency="resuscitation room"))
    person = sessions.person(pages, Audience.PAGES, "")
    assert person is not None
    clock.now += EMERGENCY - 1
    known = Known(studies=frozenset({study_uid(1)}), parent=person.session.digest, emergency="resuscitation room")
    viewer = sessions.begin(owner, Audience.VIEWER, known)
    assert sessions.person(viewer, Audience.VIEWER, "") is not None
    clock.now += 1
    assert sessions.person(viewer, Audience.VIEWER, "") is None


def test_what_was_opened_in_an_emergency_ends_with_it(archive: Archive, sessions: Sessions) -> None:
    owner = account(archive)
    pages = sessions.begin(owner, Audience.PAGES, Known(emergency="resuscitation room"))
    old = sessions.digest(pages)
    known = Known(studies=frozenset({study_uid(1)}), parent=old)
    plain = sessions.begin(owner, Audience.VIEWER, known)
    wide = sessions.begin(owner, Audience.VIEWER, replace(known, emergency="resuscitation room"))
    sessions.take_over(old, sessions.begin(owner, Audience.PAGES, HERE), "rossi")
    assert sessions.person(plain, Audience.VIEWER, "") is not None
    assert sessions.person(wide, Audience.VIEWER, "") is None
