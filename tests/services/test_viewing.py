"""The way into the viewer: a code, good once, for 30 seconds, with its session; what comes of it reads some studies."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from objects import store_one, study_uid
from people_support import Moments

from leadglass.app.archive import Archive
from leadglass.core.accounts import Account, Role
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import JournalEvent
from leadglass.core.principal import Right
from leadglass.core.query import Level, Selection
from leadglass.core.sessions import Audience
from leadglass.services.one_time_codes import OneTimeCodes
from leadglass.services.sessions import ABSOLUTE, EMERGENCY, IDLE, Known, Person, Sessions
from leadglass.services.viewing import MAX_OPENED, Viewing

HERE = Known("192.0.2.7", "a browser")
THERE = Known("192.0.2.7", "another browser")
STUDIES = tuple(study_uid(number) for number in (1, 2))


class Rig:
    """An archive with two studies, and a clinician who is signed in at the pages."""

    def __init__(self, archive: Archive) -> None:
        self.archive, self.clock = archive, Moments()
        self.people, key = archive.state.people, archive.keys.token
        self.sessions = Sessions(self.people, archive.state, key, self.clock)
        self.viewing = Viewing(
            archive.gate,
            catalog=archive.catalog,
            journal=archive.journal,
            people=self.people,
            sessions=self.sessions,
            codes=OneTimeCodes(self.people, key, self.clock),
            threads=ThreadPoolExecutor(2),
            now=self.clock,
        )
        self.person = self.sign_in("rossi")

    def sign_in(self, name: str, *roles: Role, emergency: str = "") -> Person:
        account = Account(name, name.title(), frozenset(roles or {Role.ADMINISTRATOR, Role.CLINICIAN}), 1, "test")
        self.people.add_account(account)
        cookie = self.sessions.begin(account, Audience.PAGES, replace(HERE, emergency=emergency))
        person = self.sessions.person(cookie, Audience.PAGES, HERE.address)
        assert person is not None
        return person

    def code(self, *studies: str, person: Person | None = None) -> str:
        person = person or self.person
        selection = Selection(Level.STUDY, study_uids=studies or STUDIES[:1])
        return asyncio.run(self.viewing.open(person.principal, selection, person.session))

    def enter(self, code: str, known: Known = HERE, shown: Person | None = None) -> Person | None:
        opened = asyncio.run(self.viewing.enter(code, known, shown))
        return None if opened is None else self.at_viewer(opened.cookie)

    def at_viewer(self, cookie: str) -> Person:
        person = self.sessions.person(cookie, Audience.VIEWER, HERE.address)
        assert person is not None
        assert self.sessions.person(cookie, Audience.PAGES, HERE.address) is None
        return person


@pytest.fixture
def rig(archive: Archive) -> Rig:
    for number in (1, 2):
        asyncio.run(store_one(archive, number))
    return Rig(archive)


def test_what_comes_of_a_code_reads_the_study_and_does_nothing_else(rig: Rig) -> None:
    viewer = rig.enter(rig.code())
    assert viewer is not None
    assert viewer.principal.rights == {Right.FIND, Right.RETRIEVE}
    assert viewer.principal.reach.names(STUDIES[0], "", "")
    assert not viewer.principal.reach.names(STUDIES[1], "", "")


def test_a_code_is_good_once_and_for_thirty_seconds(rig: Rig) -> None:
    code = rig.code()
    assert rig.enter(code) is not None
    assert rig.enter(code) is None
    late = rig.code()
    rig.clock.pass_seconds(31)
    assert rig.enter(late) is None
    in_time = rig.code()
    rig.clock.pass_seconds(29)
    assert rig.enter(in_time) is not None


@pytest.mark.parametrize("text", ["", "x", "\u00e8", "A" * 43, "A" * 10_000])
def test_what_is_no_code_opens_nothing(rig: Rig, text: str) -> None:
    assert rig.enter(text) is None


def test_a_code_is_good_with_its_session_alone(rig: Rig) -> None:
    signed_out, elsewhere, disabled = rig.code(), rig.code(), rig.code()
    assert rig.enter(elsewhere, THERE) is None
    rig.people.change_account("rossi", lambda one: replace(one, disabled=1))
    assert rig.enter(disabled) is None
    rig.people.change_account("rossi", lambda one: replace(one, disabled=0))
    rig.sessions.end(rig.person)
    assert rig.enter(signed_out) is None


def test_the_viewer_ends_with_the_session_it_came_from(rig: Rig) -> None:
    viewer = rig.enter(rig.code())
    assert viewer is not None
    assert viewer.session.expires <= rig.person.session.expires
    rig.sessions.end(rig.person)
    assert not rig.sessions.still_valid(viewer)


def test_what_was_entered_late_lasts_no_longer_than_its_session(rig: Rig) -> None:
    while rig.clock() < rig.person.session.expires - IDLE // 2:
        rig.clock.pass_seconds(IDLE // 2 / 1e9)
        rig.people.note_sessions_seen({rig.person.session.digest: rig.clock()})
    viewer = rig.enter(rig.code())
    assert viewer is not None
    assert viewer.session.expires == rig.person.session.expires < rig.clock() + ABSOLUTE


def test_who_reads_in_the_viewer_is_not_away_from_the_pages(archive: Archive, rig: Rig) -> None:
    opened = asyncio.run(rig.viewing.enter(rig.code(), HERE))
    assert opened is not None
    mine = rig.sessions.begin(rig.person.account, Audience.PAGES, HERE)
    for _ in range(3):
        rig.clock.pass_seconds(20 * 60)
        rig.at_viewer(opened.cookie)
    assert rig.sessions.person(mine, Audience.PAGES, "") is None  # that one was away
    session = rig.people.session(rig.person.session.digest)
    assert session is not None
    assert rig.clock() - session.last_seen < IDLE


def test_what_the_same_session_opened_before_stays_open(rig: Rig) -> None:
    first = rig.enter(rig.code(STUDIES[0]))
    second = rig.enter(rig.code(STUDIES[1]), shown=first)
    assert second is not None
    assert second.session.studies == frozenset(STUDIES)
    other = rig.sign_in("bianchi")
    stranger = rig.enter(rig.code(STUDIES[1], person=other), shown=first)
    assert stranger is not None
    assert stranger.session.studies == {STUDIES[1]}


def test_there_is_room_for_so_many_studies(rig: Rig) -> None:
    first = rig.enter(rig.code(STUDIES[0]))
    assert first is not None
    many = frozenset(study_uid(number) for number in range(9, 9 + MAX_OPENED))
    full = replace(first, session=replace(first.session, studies=many))
    second = rig.enter(rig.code(STUDIES[1]), shown=full)
    assert second is not None
    assert second.session.studies == {STUDIES[1]}


def test_the_glass_stays_broken_for_its_hour_alone(rig: Rig) -> None:
    person = rig.sign_in("verdi", Role.CLINICIAN, emergency="a patient is in danger")
    rig.clock.pass_seconds(1200)
    viewer = rig.enter(rig.code(person=person))
    assert viewer is not None
    assert viewer.session.emergency
    assert viewer.session.expires == person.session.expires < rig.clock() + EMERGENCY
    assert not viewer.principal.reach.names(STUDIES[1], "", "")


def test_nothing_out_of_reach_is_opened(rig: Rig) -> None:
    nobody = rig.sign_in("neri", Role.CLINICIAN)
    with pytest.raises(LeadglassError) as refused:
        rig.code(person=nobody)
    assert refused.value.code is ErrorCode.NOT_FOUND
    with pytest.raises(LeadglassError) as missing:
        rig.code("1.2.3.4")
    assert (missing.value.code, missing.value.comment) == (refused.value.code, refused.value.comment)


def test_nobody_opens_for_somebody_else_or_from_the_viewer(rig: Rig) -> None:
    other, viewer = rig.sign_in("bianchi"), rig.enter(rig.code())
    assert viewer is not None
    for person, session in ((rig.person, other.session), (rig.person, viewer.session)):
        with pytest.raises(LeadglassError) as refused:
            selection = Selection(Level.STUDY, study_uids=STUDIES)
            asyncio.run(rig.viewing.open(person.principal, selection, session))
        assert refused.value.code is ErrorCode.NOT_AUTHORISED


def test_every_step_is_in_the_journal(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[JournalEvent] = []
    monkeypatch.setattr(rig.archive.journal, "record", kept.append)
    rig.enter(rig.code())
    assert [(event.what, event.principal, event.details["study"]) for event in kept] == [
        ("viewer-opened", "rossi", STUDIES[0]),
        ("viewer-entered", "rossi", STUDIES[0]),
    ]
