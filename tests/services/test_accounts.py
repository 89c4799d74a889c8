"""Accounts: who may be added, what takes rights away at once, and what people do with their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from archives import device
from people_support import HERE, PASSWORD, SECRET, PeopleOf

from leadglass.access.accounts import AccountRules
from leadglass.app.archive import Archive
from leadglass.core.accounts import Passkey, Role
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import SYSTEM
from leadglass.core.sessions import Audience, Purpose
from leadglass.core.tokens import Scope
from leadglass.services.accounts import Accounts, WantedAccount
from leadglass.services.oneself import StaleProofError
from leadglass.services.own_account import OwnAccount
from leadglass.services.sessions import RAISED, Known, Person
from leadglass.services.sign_in import MustEnrol, NeedsSecond, SignedIn
from leadglass.services.tokens import Wanted

NEW = "barca di carta sul fiume"
ROSSI = WantedAccount("rossi", "Anna Rossi", frozenset({Role.CLINICIAN}), ("Poliambulatorio Nord",), ("Bianchi^Ugo",))


@pytest.fixture
def people(archive: Archive) -> Iterator[PeopleOf]:
    made = PeopleOf(archive)
    yield made
    made.threads.shutdown()


@pytest.fixture
def accounts(archive: Archive, people: PeopleOf) -> Accounts:
    state = archive.state
    return Accounts(archive.gate, state.people, state, people.codes, journal=archive.journal, now=people.clock)


@pytest.fixture
def own(archive: Archive, people: PeopleOf) -> OwnAccount:
    return OwnAccount(
        archive.gate,
        people.sessions,
        people.people,
        people.codes,
        people.factors,
        journal=archive.journal,
        rules=AccountRules(),
    )


def refused(work: Callable[[], Any], code: ErrorCode = ErrorCode.USAGE) -> None:
    with pytest.raises(LeadglassError) as error:
        work()
    assert error.value.code is code


def whoever(people: PeopleOf, cookie: str) -> Person | None:
    return people.sessions.person(cookie, Audience.PAGES, HERE.address)


def begun(people: PeopleOf, name: str) -> tuple[str, Person]:
    account = people.people.account(name)
    assert account is not None
    cookie = people.sessions.begin(account, Audience.PAGES, HERE)
    found = whoever(people, cookie)
    assert found is not None
    return cookie, found


# --- administration ---------------------------------------------------------------------------------------------------


async def test_who_is_added_sets_a_password_by_the_link(people: PeopleOf, accounts: Accounts) -> None:
    invitation = accounts.add(SYSTEM, ROSSI)
    assert invitation.code not in repr(invitation)
    account = accounts.account(SYSTEM, "rossi")
    assert (account.institutions, account.referring) == ({"poliambulatorio nord"}, {"bianchi^ugo"})
    assert (account.created_by, account.password_hash) == (SYSTEM.name, "")
    assert isinstance(await people.sign_in.enrol(invitation.code, NEW, HERE), SignedIn)
    assert isinstance(await people.sign_in.password("rossi", NEW, HERE), SignedIn)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Rossi"},
        {"name": ""},
        {"name": "rossi\n"},
        {"name": "leadglass"},
        {"name": "../etc"},
        {"name": "ct"},  # a device
        {"name": "ci"},  # a token named CI
        {"display": ""},
        {"display": "Anna\nRossi"},
        {"display": "x" * 129},
        {"roles": frozenset()},
        {"referring": ("^",)},
        {"institutions": tuple(f"practice {number}" for number in range(10_001))},
    ],
)
def test_what_is_badly_described_is_refused(archive: Archive, accounts: Accounts, changes: dict[str, Any]) -> None:
    archive.tokens.issue(SYSTEM, Wanted("CI", frozenset({Scope.READ})))
    refused(lambda: accounts.add(SYSTEM, replace(ROSSI, **changes)))
    assert not accounts.accounts(SYSTEM)


def test_a_name_is_one_thing_only(archive: Archive, accounts: Accounts) -> None:
    accounts.add(SYSTEM, ROSSI)
    refused(lambda: accounts.add(SYSTEM, ROSSI))
    refused(lambda: archive.tokens.issue(SYSTEM, Wanted("Rossi", frozenset({Scope.READ}))))
    refused(lambda: archive.devices.enrol(SYSTEM, device("rossi", "XR")))


def test_who_is_disabled_is_out_at_once_and_links_are_void(people: PeopleOf, accounts: Accounts) -> None:
    people.add("chief", Role.ADMINISTRATOR)
    code = accounts.add(SYSTEM, ROSSI).code
    cookie, _ = begun(people, "rossi")
    accounts.enable(SYSTEM, "rossi", enabled=False)
    assert whoever(people, cookie) is None
    assert people.codes.look(code, Purpose.ENROL) is None
    accounts.enable(SYSTEM, "rossi", enabled=True)
    assert whoever(people, cookie) is None
    assert not accounts.account(SYSTEM, "rossi").disabled


def test_other_roles_mean_signing_in_anew(people: PeopleOf, accounts: Accounts) -> None:
    accounts.add(SYSTEM, ROSSI)
    cookie, _ = begun(people, "rossi")
    accounts.change_roles(SYSTEM, "rossi", frozenset({Role.TECHNOLOGIST, Role.AUDITOR}))
    assert whoever(people, cookie) is None
    assert accounts.account(SYSTEM, "rossi").roles == {Role.TECHNOLOGIST, Role.AUDITOR}
    refused(lambda: accounts.change_roles(SYSTEM, "rossi", frozenset()))
    refused(lambda: accounts.change_roles(SYSTEM, "nobody", frozenset({Role.AUDITOR})), ErrorCode.NOT_FOUND)


async def test_a_reset_takes_everything_that_proves(people: PeopleOf, accounts: Accounts) -> None:
    _, digests = people.factors.recovery("rossi")
    passkey = Passkey(b"id", b"key", 0, "telephone", 1)
    people.add("rossi", totp_secret=SECRET, totp_step=5, recovery=digests, passkeys=(passkey,))
    cookie, _ = begun(people, "rossi")
    step = await people.sign_in.password("rossi", PASSWORD, HERE)
    assert isinstance(step, NeedsSecond)
    invitation = accounts.reset(SYSTEM, "rossi")
    assert whoever(people, cookie) is None
    account = accounts.account(SYSTEM, "rossi")
    assert not (account.password_hash or account.second_factor or account.recovery)
    for work in (people.sign_in.password("rossi", PASSWORD, HERE), people.sign_in.totp(step.code, "123456", HERE)):
        with pytest.raises(LeadglassError):
            await work
    assert isinstance(await people.sign_in.enrol(invitation.code, NEW, HERE), SignedIn)


def test_there_is_always_an_administrator(people: PeopleOf, accounts: Accounts) -> None:
    people.add("chief", Role.ADMINISTRATOR)
    people.add("retired", Role.ADMINISTRATOR, disabled=5)
    people.add("rossi")
    refused(lambda: accounts.enable(SYSTEM, "chief", enabled=False))
    refused(lambda: accounts.change_roles(SYSTEM, "chief", frozenset({Role.CLINICIAN})))
    accounts.change_roles(SYSTEM, "chief", frozenset({Role.ADMINISTRATOR, Role.CLINICIAN}))
    accounts.change_roles(SYSTEM, "rossi", frozenset({Role.ADMINISTRATOR}))
    accounts.enable(SYSTEM, "chief", enabled=False)
    refused(lambda: accounts.enable(SYSTEM, "rossi", enabled=False))


def test_two_administrators_do_not_take_each_others_role_away(people: PeopleOf, accounts: Accounts) -> None:
    """At the same time: whoever comes second finds that there would be nobody left."""
    for turn in range(5):
        names = (f"a{turn}", f"b{turn}")
        for account in people.people.accounts():
            people.people.change_account(account.name, lambda one: replace(one, disabled=5))
        for name in names:
            people.add(name, Role.ADMINISTRATOR)
        with ThreadPoolExecutor(2) as threads:
            results = [
                threads.submit(accounts.change_roles, SYSTEM, name, frozenset({Role.AUDITOR})).exception
                for name in names
            ]
            assert sum(result() is None for result in results) == 1


def test_broken_glasses_are_listed_while_they_are_broken(people: PeopleOf, accounts: Accounts) -> None:
    account = people.add("rossi")
    people.sessions.begin(account, Audience.PAGES, HERE)
    people.sessions.begin(account, Audience.PAGES, Known(emergency="resuscitation room"))
    (found,) = accounts.emergencies(SYSTEM)
    assert (found.owner, found.emergency) == ("rossi", "resuscitation room")
    people.clock.now = found.expires
    assert not accounts.emergencies(SYSTEM)


def test_an_administrator_signs_somebody_out_everywhere(people: PeopleOf, accounts: Accounts) -> None:
    people.add("rossi")
    cookies = [begun(people, "rossi")[0] for _ in range(2)]
    assert accounts.end_sessions(SYSTEM, "rossi") == 2
    assert [whoever(people, cookie) for cookie in cookies] == [None, None]


# --- of oneself -------------------------------------------------------------------------------------------------------


async def test_another_password_ends_the_other_sessions(people: PeopleOf, own: OwnAccount) -> None:
    people.add("rossi")
    here, me = begun(people, "rossi")
    there, _ = begun(people, "rossi")
    link = people.codes.make(Purpose.ENROL, "rossi")
    refused(lambda: own.change_password(me, "rossi-rossi-"))
    own.change_password(me, NEW)
    assert whoever(people, here) is not None and whoever(people, there) is None
    assert people.codes.look(link, Purpose.ENROL) is None
    assert isinstance(await people.sign_in.password("rossi", NEW, HERE), SignedIn)
    with pytest.raises(LeadglassError):
        await people.sign_in.password("rossi", PASSWORD, HERE)


def test_an_old_proof_changes_nothing(people: PeopleOf, own: OwnAccount) -> None:
    people.add("rossi")
    _, me = begun(people, "rossi")
    people.clock.now += RAISED
    with pytest.raises(StaleProofError):
        own.change_password(me, NEW)
    account = people.people.account("rossi")
    assert account is not None and account.password_hash == me.account.password_hash
    assert len(own.sessions(me)) == 1


async def test_a_second_factor_added_from_a_session_takes_its_place(people: PeopleOf, own: OwnAccount) -> None:
    people.add("rossi")
    cookie, me = begun(people, "rossi")
    code = own.add_second_factor(me)
    offer = await people.sign_in.offer_totp(code)
    done = await people.sign_in.confirm_totp(code, people.digits(offer.secret), HERE)
    assert len(done.recovery) == 10
    assert whoever(people, cookie) is None and whoever(people, done.cookie) is not None


def test_a_role_that_demands_a_second_factor_keeps_the_last_one(people: PeopleOf, own: OwnAccount) -> None:
    passkey = Passkey(b"id", b"key", 0, "telephone", 1)
    people.add("chief", Role.ADMINISTRATOR, totp_secret=SECRET, totp_step=7, passkeys=(passkey,))
    _, me = begun(people, "chief")
    refused(lambda: own.remove_passkey(me, b"other"))
    own.remove_passkey(me, b"id")
    _, me = begun(people, "chief")
    refused(lambda: own.remove_totp(me))
    account = people.people.account("chief")
    assert account is not None and account.totp_secret


def test_without_a_factor_left_there_are_no_recovery_codes(people: PeopleOf, own: OwnAccount) -> None:
    _, digests = people.factors.recovery("rossi")
    people.add("rossi", totp_secret=SECRET, recovery=digests)
    _, me = begun(people, "rossi")
    assert len(set(own.new_recovery_codes(me))) == 10
    own.remove_totp(me)
    _, me = begun(people, "rossi")
    assert not (me.account.recovery or me.account.second_factor or me.account.totp_step)
    refused(lambda: own.new_recovery_codes(me))
    refused(lambda: own.remove_totp(me))


def test_people_see_and_end_their_own_sessions_and_no_others(people: PeopleOf, own: OwnAccount) -> None:
    people.add("rossi")
    people.add("bianchi")
    _, me = begun(people, "rossi")
    there, other = begun(people, "rossi")
    theirs, stranger = begun(people, "bianchi")
    assert {session.digest for session in own.sessions(me)} == {me.session.digest, other.session.digest}
    refused(lambda: own.end_session(me, stranger.session.digest), ErrorCode.NOT_FOUND)
    refused(lambda: own.end_session(me, b"nonsense"), ErrorCode.NOT_FOUND)
    own.end_session(me, other.session.digest)
    assert whoever(people, there) is None and whoever(people, theirs) is not None
    begun(people, "rossi")
    assert own.end_other_sessions(me) == 1


def test_a_language_is_one_that_the_pages_have(people: PeopleOf, own: OwnAccount) -> None:
    people.add("rossi")
    _, me = begun(people, "rossi")
    own.choose_language(me, "it")
    account = people.people.account("rossi")
    assert account is not None and account.language == "it"
    refused(lambda: own.choose_language(me, "../it"))


async def test_who_gets_a_role_that_demands_a_factor_is_led_to_adding_one(people: PeopleOf, accounts: Accounts) -> None:
    people.add("rossi")
    accounts.change_roles(SYSTEM, "rossi", frozenset({Role.ADMINISTRATOR}))
    assert isinstance(await people.sign_in.password("rossi", PASSWORD, HERE), MustEnrol)


def test_who_signs_in_at_the_provider_makes_no_other_way_in(people: PeopleOf, own: OwnAccount) -> None:
    people.add("rossi", password_hash="", subject="anna@https://id.example")
    _, me = begun(people, "rossi")
    refused(lambda: own.change_password(me, NEW))
    people.people.change_account("rossi", lambda one: replace(one, password_hash="made by an administrator's link"))
    _, me = begun(people, "rossi")
    own.change_password(me, NEW)
