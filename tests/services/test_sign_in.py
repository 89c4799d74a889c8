"""Who is let in with a password, a second factor, a link; and that nobody learns from a refusal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from dataclasses import replace
from typing import Any

import argon2
import pytest
from people_support import ELSEWHERE, HERE, PASSWORD, SECRET, PeopleOf

from leadglass.access.back_off import FREE_FAILURES, LONGEST_WAIT
from leadglass.app.archive import Archive
from leadglass.core.accounts import Role
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent
from leadglass.core.reach import EVERYTHING
from leadglass.core.sessions import Audience, Purpose
from leadglass.services.one_time_codes import ENROLMENT, LIFETIMES, OWN, SECOND
from leadglass.services.sessions import Known, Person
from leadglass.services.sign_in import MustEnrol, NeedsSecond, SignedIn
from leadglass.services.sign_in_steps import MAX_TRIES, NO_LINK, PUT_OFF, TOO_LATE, WRONG

NEW = "barca di carta sul fiume"


@pytest.fixture
def people(archive: Archive) -> Iterator[PeopleOf]:
    made = PeopleOf(archive)
    yield made
    made.threads.shutdown()


@pytest.fixture
def journalled(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> list[tuple[JournalEvent, bool]]:
    events: list[tuple[JournalEvent, bool]] = []
    record = archive.journal.record

    def watched(event: JournalEvent, *, durable: bool = False) -> None:
        events.append((event, durable))
        record(event, durable=durable)

    monkeypatch.setattr(archive.journal, "record", watched)
    return events


async def refused(work: Awaitable[Any], sentence: str = WRONG) -> None:
    with pytest.raises(LeadglassError) as error:
        await work
    assert (error.value.code, error.value.comment) == (ErrorCode.NOT_AUTHENTICATED, sentence)


async def useless(work: Awaitable[Any]) -> None:
    with pytest.raises(LeadglassError) as error:
        await work
    assert error.value.code is ErrorCode.USAGE


def person(people: PeopleOf, signed_in: SignedIn) -> Person:
    found = people.sessions.person(signed_in.cookie, Audience.PAGES, HERE.address)
    assert found is not None
    return found


async def signed_in(people: PeopleOf, name: str = "rossi") -> SignedIn:
    step = await people.sign_in.password(name, PASSWORD, HERE)
    assert isinstance(step, SignedIn)
    return step


# --- password ---------------------------------------------------------------------------------------------------------


async def test_a_password_begins_a_session_that_is_journalled_first(
    people: PeopleOf, journalled: list[tuple[JournalEvent, bool]]
) -> None:
    people.add("rossi")
    begun = await signed_in(people, " Rossi ")
    assert person(people, begun).account.name == "rossi"
    event, durable = journalled[-1]
    assert (event.what, event.kind, event.principal, event.address) == (
        "person-signed-in",
        EventKind.USER_AUTHENTICATION,
        "rossi",
        HERE.address,
    )
    assert durable


async def test_a_session_is_never_wider_than_its_account_whatever_the_door_says(people: PeopleOf) -> None:
    people.add("rossi")
    step = await people.sign_in.password("rossi", PASSWORD, Known("192.0.2.7", "x", emergency="because I say so"))
    assert isinstance(step, SignedIn)
    assert not person(people, step).principal.reach.everything


@pytest.mark.parametrize(
    ("name", "password", "cause"),
    [
        ("rossi", "tramonto viola sul mare", "password rossi"),
        ("rossi", "", "password rossi"),
        ("rossi", PASSWORD + "x" * 300, "password rossi"),
        ("rossi", "\udcff", "password rossi"),
        ("nobody", PASSWORD, "no-account"),
        ("invited", "", "password invited"),
        ("gone", PASSWORD, "disabled gone"),
        ("gone", "x", "password gone"),
        ("rossi\x00", PASSWORD, "no-account"),
        ("", PASSWORD, "no-account"),
        ("x" * 5000, PASSWORD, "no-account"),
        ("' OR 1=1 --", PASSWORD, "no-account"),
    ],
)
async def test_every_wrong_sign_in_has_the_same_answer(people: PeopleOf, name: str, password: str, cause: str) -> None:
    people.add("rossi")
    people.add("invited", password_hash="")
    people.add("gone", disabled=5)
    await refused(people.sign_in.password(name, password, HERE))
    assert people.causes == [cause]
    assert PASSWORD not in str(people.sink.events)


async def test_a_name_that_there_is_not_is_hashed_like_one_that_there_is(
    people: PeopleOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same work, with the same parameters: so it takes the same time."""
    people.add("rossi")
    people.add("invited", password_hash="")
    costs: list[tuple[int, int, int]] = []
    verify = argon2.low_level.verify_secret

    def watched(kept: bytes, *args: Any) -> Any:
        parameters = argon2.extract_parameters(kept.decode())
        costs.append((parameters.memory_cost, parameters.time_cost, parameters.parallelism))
        return verify(kept, *args)

    monkeypatch.setattr("argon2._password_hasher.verify_secret", watched)
    for name in ("rossi", "invited", "nobody", "no such name!"):
        await refused(people.sign_in.password(name, "guessed it surely", HERE))
    assert len(costs) == 4 and len(set(costs)) == 1


async def test_what_is_typed_as_a_name_is_not_journalled_unless_it_is_one(people: PeopleOf) -> None:
    await refused(people.sign_in.password(PASSWORD, "rossi", HERE))
    await refused(people.sign_in.password("hunter2hunter2", "rossi", HERE))
    assert "hunter2" not in str(people.sink.events) and "tramonto" not in str(people.sink.events)


async def test_guessing_at_an_account_is_put_off_and_its_owner_is_not(people: PeopleOf) -> None:
    people.add("rossi")
    await signed_in(people)
    for _ in range(FREE_FAILURES):
        await refused(people.sign_in.password("rossi", "x", ELSEWHERE))
    assert "guessing rossi" in people.causes
    await refused(people.sign_in.password("rossi", PASSWORD, ELSEWHERE), PUT_OFF)
    await refused(people.sign_in.password("rossi", PASSWORD, Known("203.0.113.5")), PUT_OFF)
    await signed_in(people)
    await refused(people.sign_in.password("rossi", PASSWORD, ELSEWHERE), PUT_OFF)
    people.clock.pass_seconds(LONGEST_WAIT)
    assert isinstance(await people.sign_in.password("rossi", PASSWORD, ELSEWHERE), SignedIn)


async def test_names_that_there_are_not_are_put_off_alike(people: PeopleOf) -> None:
    for _ in range(FREE_FAILURES):
        await refused(people.sign_in.password("nobody", "x", ELSEWHERE))
    await refused(people.sign_in.password("nobody", "x", HERE), PUT_OFF)


async def test_trying_many_names_from_one_network_is_put_off(people: PeopleOf) -> None:
    people.add("rossi")
    people.sign_in.steps.guard.note_right("192.0.2.7", "bianchi")
    people.add("bianchi")
    for number in range(32):
        people.sign_in.steps.guard.note_wrong("192.0.2.7", f"name{number}", people.clock.now / SECOND)
    await refused(people.sign_in.password("rossi", PASSWORD, HERE), PUT_OFF)
    assert isinstance(await people.sign_in.password("bianchi", PASSWORD, HERE), SignedIn)
    assert isinstance(await people.sign_in.password("rossi", PASSWORD, ELSEWHERE), SignedIn)


async def test_a_password_kept_with_lesser_parameters_is_kept_anew(people: PeopleOf) -> None:
    weaker = argon2.PasswordHasher(time_cost=1, memory_cost=8192).hash(PASSWORD)
    people.add("rossi", password_hash=weaker)
    await signed_in(people)
    account = people.people.account("rossi")
    assert account is not None and account.password_hash != weaker
    await signed_in(people)


async def test_no_more_wait_than_can_be_served(people: PeopleOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadglass.services.sign_in.MAX_WAITING", 2)
    results = await asyncio.gather(
        *(people.sign_in.password("nobody", "x", HERE) for _ in range(3)), return_exceptions=True
    )
    codes = [error.code for error in results if isinstance(error, LeadglassError)]
    assert codes.count(ErrorCode.OUT_OF_RESOURCES) == 1


# --- second factor ----------------------------------------------------------------------------------------------------


async def proving(people: PeopleOf, **changes: Any) -> str:
    people.add("rossi", totp_secret=SECRET, **changes)
    step = await people.sign_in.password("rossi", PASSWORD, HERE)
    assert isinstance(step, NeedsSecond) and step.totp
    assert not people.people.sessions("rossi")
    return step.code


async def test_the_second_step_begins_the_session_and_its_code_is_good_once(people: PeopleOf) -> None:
    code = await proving(people)
    digits = people.digits()
    assert isinstance(await people.sign_in.totp(code, digits, HERE), SignedIn)
    await refused(people.sign_in.totp(code, digits, HERE), TOO_LATE)
    again = await people.sign_in.password("rossi", PASSWORD, HERE)
    assert isinstance(again, NeedsSecond)
    await refused(people.sign_in.totp(again.code, digits, HERE))


async def test_five_wrong_codes_end_the_step(people: PeopleOf) -> None:
    code = await proving(people)
    people.sign_in.steps.guard.note_wrong = lambda *_: False  # type: ignore[method-assign]  # the step's own limit
    for _ in range(MAX_TRIES):
        await refused(people.sign_in.totp(code, "000000", HERE))
    await refused(people.sign_in.totp(code, people.digits(), HERE), TOO_LATE)


async def test_right_passwords_do_not_buy_more_guesses_at_the_second_factor(people: PeopleOf) -> None:
    code = await proving(people)
    for _ in range(FREE_FAILURES - 1):
        await refused(people.sign_in.totp(code, "000000", HERE))
    step = await people.sign_in.password("rossi", PASSWORD, HERE)
    assert isinstance(step, NeedsSecond)
    await refused(people.sign_in.totp(step.code, "000000", HERE))
    await refused(people.sign_in.totp(step.code, people.digits(), HERE), PUT_OFF)
    await refused(people.sign_in.password("rossi", PASSWORD, HERE), PUT_OFF)


async def test_the_second_step_ends_after_five_minutes(people: PeopleOf) -> None:
    code = await proving(people)
    people.clock.now += LIFETIMES[Purpose.SECOND_FACTOR]
    await refused(people.sign_in.totp(code, people.digits(), HERE), TOO_LATE)


async def test_who_is_disabled_between_the_steps_stays_out(people: PeopleOf) -> None:
    code = await proving(people)
    people.people.change_account("rossi", lambda one: replace(one, disabled=5))
    await refused(people.sign_in.totp(code, people.digits(), HERE), TOO_LATE)


async def test_two_tries_at_the_same_time_are_no_two_tries(people: PeopleOf) -> None:
    code = await proving(people)
    digits = people.digits()
    results = await asyncio.gather(*(people.sign_in.totp(code, digits, HERE) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(result, SignedIn) for result in results) == 1


async def test_a_recovery_code_is_good_once(people: PeopleOf) -> None:
    codes, digests = people.factors.recovery("rossi")
    assert len(set(codes)) == len(digests) == 10
    code = await proving(people, recovery=digests)
    typed = codes[3].lower().replace("-", " ")
    assert isinstance(await people.sign_in.recovery(code, typed, HERE), SignedIn)
    account = people.people.account("rossi")
    assert account is not None and len(account.recovery) == 9
    again = await people.sign_in.password("rossi", PASSWORD, HERE)
    assert isinstance(again, NeedsSecond)
    await refused(people.sign_in.recovery(again.code, typed, HERE))
    assert isinstance(await people.sign_in.recovery(again.code, codes[4], HERE), SignedIn)


# --- adding a second factor -------------------------------------------------------------------------------------------


async def enrolling(people: PeopleOf) -> str:
    people.add("chief", Role.ADMINISTRATOR)
    step = await people.sign_in.password("chief", PASSWORD, HERE)
    assert isinstance(step, MustEnrol)
    assert not people.people.sessions("chief")
    return step.code


async def test_a_role_that_demands_a_second_factor_leads_to_adding_one(people: PeopleOf) -> None:
    code = await enrolling(people)
    offer = await people.sign_in.offer_totp(code)
    assert offer == await people.sign_in.offer_totp(code)
    await refused(people.sign_in.confirm_totp(code, "12345", HERE))
    done = await people.sign_in.confirm_totp(code, people.digits(offer.secret), HERE)
    assert len(done.recovery) == 10
    assert person(people, done).account.second_factor
    await refused(people.sign_in.confirm_totp(code, people.digits(offer.secret), HERE), TOO_LATE)
    people.clock.pass_seconds(60)
    step = await people.sign_in.password("chief", PASSWORD, HERE)
    assert isinstance(step, NeedsSecond)
    assert isinstance(await people.sign_in.recovery(step.code, done.recovery[0], HERE), SignedIn)


async def test_a_step_that_adds_a_factor_proves_none_and_the_other_way_round(people: PeopleOf) -> None:
    code = await enrolling(people)
    await refused(people.sign_in.totp(code, people.digits(), HERE), TOO_LATE)
    proves = await proving(people)
    await refused(people.sign_in.offer_totp(proves), TOO_LATE)
    await refused(people.sign_in.confirm_totp(proves, people.digits(), HERE), TOO_LATE)


async def test_a_factor_added_meanwhile_is_not_replaced_by_who_knows_the_password_alone(people: PeopleOf) -> None:
    code = await enrolling(people)
    offer = await people.sign_in.offer_totp(code)
    people.people.change_account("chief", lambda one: replace(one, totp_secret=SECRET))
    await refused(people.sign_in.confirm_totp(code, people.digits(offer.secret), HERE), TOO_LATE)
    account = people.people.account("chief")
    assert account is not None and account.totp_secret == SECRET
    own = people.codes.enrolment("chief", **{OWN: "1"})
    offer = await people.sign_in.offer_totp(own)
    assert isinstance(await people.sign_in.confirm_totp(own, people.digits(offer.secret), HERE), SignedIn)


async def test_adding_takes_longer_than_proving_but_not_for_ever(people: PeopleOf) -> None:
    code = await enrolling(people)
    people.clock.now += LIFETIMES[Purpose.SECOND_FACTOR]
    offer = await people.sign_in.offer_totp(code)
    people.clock.now += ENROLMENT
    await refused(people.sign_in.confirm_totp(code, people.digits(offer.secret), HERE), TOO_LATE)


# --- links ------------------------------------------------------------------------------------------------------------


async def test_the_first_account_is_made_by_the_link_once(people: PeopleOf) -> None:
    older = people.codes.set_up()
    code = people.codes.set_up()
    assert older and code
    await refused(people.sign_in.set_up(older, "chief", "Anna", NEW, HERE), NO_LINK)
    assert await people.sign_in.can_set_up(code)
    await useless(people.sign_in.set_up(code, "Chief Physician", "Anna", NEW, HERE))
    await useless(people.sign_in.set_up(code, "chief", "Anna", "password1234", HERE))
    await useless(people.sign_in.set_up(code, "chief", "", NEW, HERE))
    assert isinstance(await people.sign_in.set_up(code, "chief", "Anna", NEW, HERE), MustEnrol)
    account = people.people.account("chief")
    assert account is not None and account.roles == {Role.ADMINISTRATOR}
    assert people.codes.set_up() is None
    assert not await people.sign_in.can_set_up(code)
    await refused(people.sign_in.set_up(code, "second", "Anna", NEW, HERE), NO_LINK)


async def test_a_set_up_link_makes_nobody_once_there_is_an_account(people: PeopleOf) -> None:
    code = people.codes.set_up()
    assert code
    people.add("rossi")
    await refused(people.sign_in.set_up(code, "chief", "Anna", NEW, HERE), NO_LINK)
    assert people.people.account("chief") is None


async def test_a_set_up_link_ends_after_half_an_hour(people: PeopleOf) -> None:
    code = people.codes.set_up()
    assert code
    people.clock.now += 30 * 60 * SECOND
    await refused(people.sign_in.set_up(code, "chief", "Anna", NEW, HERE), NO_LINK)


async def test_an_enrol_link_sets_a_password_once_and_ends_what_was_open(people: PeopleOf) -> None:
    people.add("rossi")
    before = await signed_in(people)
    code = people.codes.make_only(Purpose.ENROL, "rossi")
    assert (await people.sign_in.invited(code)).name == "rossi"
    await useless(people.sign_in.enrol(code, "rossi-rossi", HERE))
    assert isinstance(await people.sign_in.enrol(code, NEW, HERE), SignedIn)
    assert people.sessions.person(before.cookie, Audience.PAGES, "") is None
    await refused(people.sign_in.enrol(code, NEW, HERE), NO_LINK)
    await refused(people.sign_in.invited(code), NO_LINK)
    await refused(people.sign_in.password("rossi", PASSWORD, HERE))
    assert isinstance(await people.sign_in.password("rossi", NEW, HERE), SignedIn)


async def test_an_enrol_link_asks_for_the_second_factor_that_there_is(people: PeopleOf) -> None:
    people.add("rossi", totp_secret=SECRET)
    step = await people.sign_in.enrol(people.codes.make(Purpose.ENROL, "rossi"), NEW, HERE)
    assert isinstance(step, NeedsSecond)


async def test_links_are_no_codes_for_anything_else(people: PeopleOf) -> None:
    people.add("chief", Role.ADMINISTRATOR)
    enrol, set_up = people.codes.make(Purpose.ENROL, "chief"), people.codes.make(Purpose.SET_UP, "")
    await refused(people.sign_in.totp(enrol, people.digits(), HERE), TOO_LATE)
    await refused(people.sign_in.enrol(set_up, NEW, HERE), NO_LINK)
    await refused(people.sign_in.set_up(enrol, "second", "Anna", NEW, HERE), NO_LINK)
    for nonsense in ("", "x" * 43, "ä" * 43, "x" * 100_000):
        await refused(people.sign_in.enrol(nonsense, NEW, HERE), NO_LINK)


async def test_who_is_disabled_is_not_let_in_by_a_link(people: PeopleOf) -> None:
    people.add("gone", disabled=5)
    await refused(people.sign_in.enrol(people.codes.make(Purpose.ENROL, "gone"), NEW, HERE), NO_LINK)


# --- sessions ---------------------------------------------------------------------------------------------------------


async def test_a_fresh_proof_makes_a_new_session_in_place_of_the_old_one(people: PeopleOf) -> None:
    account = people.add("rossi")
    old = await signed_in(people)
    parent = person(people, old)
    viewer = people.sessions.begin(account, Audience.VIEWER, Known(parent=parent.session.digest))
    people.clock.pass_seconds(600)
    assert not people.sessions.fresh(parent)
    new = await people.sign_in.password("rossi", PASSWORD, HERE, replacing=parent)
    assert isinstance(new, SignedIn) and new.cookie != old.cookie
    assert people.sessions.fresh(person(people, new))
    assert people.sessions.person(old.cookie, Audience.PAGES, "") is None
    assert people.sessions.person(viewer, Audience.VIEWER, "") is not None
    people.sessions.end(person(people, new))
    assert people.sessions.person(viewer, Audience.VIEWER, "") is None


async def test_nobody_proves_itself_into_the_session_of_another(people: PeopleOf) -> None:
    people.add("rossi")
    people.add("bianchi")
    mine = person(people, await signed_in(people))
    await refused(people.sign_in.password("bianchi", PASSWORD, HERE, replacing=mine))
    assert len(people.people.sessions("rossi")) == 1


async def test_the_second_step_replaces_the_session_too(people: PeopleOf) -> None:
    people.add("rossi", totp_secret=SECRET)
    step = await people.sign_in.password("rossi", PASSWORD, HERE)
    assert isinstance(step, NeedsSecond)
    old = await people.sign_in.totp(step.code, people.digits(), HERE)
    people.clock.pass_seconds(600)
    step = await people.sign_in.password("rossi", PASSWORD, HERE, replacing=person(people, old))
    assert isinstance(step, NeedsSecond)
    assert people.sessions.person(old.cookie, Audience.PAGES, "") is not None
    await people.sign_in.totp(step.code, people.digits(), HERE)
    assert people.sessions.person(old.cookie, Audience.PAGES, "") is None


async def test_breaking_the_glass_is_told_before_it_shows_anything(
    people: PeopleOf, journalled: list[tuple[JournalEvent, bool]]
) -> None:
    people.add("rossi")
    before = person(people, await signed_in(people))
    for poor in ("", "because", "x" * 501, "     a     "):
        await useless(people.sign_in.break_glass(before, poor, HERE))
    after = await people.sign_in.break_glass(before, "unconscious, resuscitation room", HERE)
    assert person(people, after).principal.reach == EVERYTHING
    assert len(people.people.sessions("rossi")) == 1
    alert = next((event, durable) for event, durable in journalled if event.what == "glass-broken")
    assert alert[0].kind is EventKind.SECURITY_ALERT and alert[1]
    assert alert[0].details["reason"] == "unconscious, resuscitation room"


async def test_who_may_see_no_study_breaks_no_glass(people: PeopleOf) -> None:
    people.add("audit", Role.AUDITOR)
    curious = person(people, await signed_in(people, "audit"))
    with pytest.raises(LeadglassError) as error:
        await people.sign_in.break_glass(curious, "I would like to see everything", HERE)
    assert error.value.code is ErrorCode.NOT_AUTHORISED


async def test_signing_out_ends_the_session_and_is_journalled(
    people: PeopleOf, journalled: list[tuple[JournalEvent, bool]]
) -> None:
    people.add("rossi")
    begun = await signed_in(people)
    await people.sign_in.sign_out(person(people, begun))
    assert people.sessions.person(begun.cookie, Audience.PAGES, "") is None
    assert journalled[-1][0].what == "person-signed-out"


async def test_nobody_is_let_in_when_it_cannot_be_journalled(
    people: PeopleOf, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    people.add("rossi")

    def full(event: JournalEvent, *, durable: bool = False) -> None:
        raise LeadglassError(ErrorCode.UNAVAILABLE, "The journal cannot be written.")

    monkeypatch.setattr(archive.journal, "record", full)
    with pytest.raises(LeadglassError):
        await people.sign_in.password("rossi", PASSWORD, HERE)
    assert not people.people.sessions("rossi")
