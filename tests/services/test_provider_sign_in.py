"""People who sign in at an OpenID provider: there and back, the account that a subject has here, and every way that
lets nobody in."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from archives import device
from people_support import HERE, PASSWORD, SECRET, PeopleOf
from programs_support import Clock
from provider import ISSUER, KEY, KEYS_URL, OTHER, SETTINGS, USERINFO_URL, AtOnce, Documents, claims, public, signed

from leadglass.access.openid_people import PeopleSettings, RoleEntry
from leadglass.app.archive import Archive
from leadglass.core.accounts import Role
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import SYSTEM
from leadglass.core.sessions import Audience
from leadglass.services.openid import OpenId
from leadglass.services.provider_sign_in import LIFETIME, NOT_LET_IN, ProviderSignIn, Return
from leadglass.services.sessions import Person
from leadglass.services.sign_in import MustEnrol, NeedsSecond, SignedIn, Step

ORIGIN = "https://pacs.example:8443"
TOKEN_URL = f"{ISSUER}/token"
CLIENT = "leadglass-pages"
PEOPLE = PeopleSettings(
    CLIENT,
    f"{ISSUER}/authorize?realm=1",
    TOKEN_URL,
    (
        RoleEntry("radiology", Role.CLINICIAN, frozenset({"nord"})),
        RoleEntry("porters", Role.TECHNOLOGIST, frozenset({"sud"})),
        RoleEntry("admins", Role.ADMINISTRATOR),
    ),
    secret="s3cret",
)


class There:
    """A provider, the way to it and back, and what it says of who signs in there."""

    def __init__(self, archive: Archive, people: PeopleOf) -> None:
        self.archive, self.people = archive, people
        self.documents = Documents()
        self.clock = Clock()
        self.clock.now = people.clock.now / 1e9
        self.settings = PEOPLE
        self.says: dict[str, Any] = {
            "groups": ["radiology"],
            "preferred_username": "Anna.Rossi@example",
            "name": "Anna",
        }
        self.key: Any = KEY

    @property
    def provider(self) -> ProviderSignIn:
        tokens = OpenId(SETTINGS, self.documents, AtOnce(1), now=self.clock)
        state = self.archive.state
        key = self.archive.keys.token
        return ProviderSignIn(
            self.settings,
            tokens,
            self.documents,
            self.people.sign_in,
            people=state.people,
            state=state,
            token_key=key,
            now=self.people.clock,
        )

    def depart(self) -> tuple[str, dict[str, str]]:
        """The ticket, and what the provider is asked."""
        left = self.provider.depart(ORIGIN)
        assert left.ticket not in repr(left)
        parts = urlsplit(left.address)
        assert left.address.startswith(f"{ISSUER}/authorize?realm=1&")
        return left.ticket, {name: values[0] for name, values in parse_qs(parts.query).items()}

    def answers(self, asked: dict[str, str], **changes: Any) -> None:
        """The provider answers to the code with an ID token."""
        said = {"aud": CLIENT, "nonce": asked["nonce"], "groups": ["radiology"], "scope": None, **self.says}
        said |= changes
        token = signed(claims(self.clock, **said), self.key)
        self.documents.answers[TOKEN_URL] = {"id_token": token, "access_token": "opaque", "token_type": "Bearer"}

    async def sign_in(self, **changes: Any) -> Step:
        ticket, asked = self.depart()
        self.answers(asked, **changes)
        return await self.provider.arrive(Return(ticket, asked["state"], "the-code"), ORIGIN, HERE)

    async def signed_in(self, **changes: Any) -> Person:
        step = await self.sign_in(**changes)
        assert isinstance(step, SignedIn)
        person = self.people.sessions.person(step.cookie, Audience.PAGES, "")
        assert person is not None
        return person


@pytest.fixture
def people(archive: Archive) -> Iterator[PeopleOf]:
    made = PeopleOf(archive)
    yield made
    made.threads.shutdown()


@pytest.fixture
def there(archive: Archive, people: PeopleOf) -> There:
    return There(archive, people)


async def refused(work: Awaitable[Any]) -> None:
    with pytest.raises(LeadglassError) as error:
        await work
    assert (error.value.code, error.value.comment) == (ErrorCode.NOT_AUTHENTICATED, NOT_LET_IN)


async def test_who_signs_in_there_has_an_account_here_with_what_the_groups_give(there: There) -> None:
    person = await there.signed_in(groups=["radiology", "porters", "unknown"])
    account = person.account
    assert (account.name, account.display, account.subject) == ("anna.rossi", "Anna", f"anna@{ISSUER}")
    assert account.roles == {Role.CLINICIAN, Role.TECHNOLOGIST}
    assert account.institutions == {"nord", "sud"} and not account.password_hash
    again = await there.signed_in(groups=["radiology", "porters"])
    assert again.account.name == "anna.rossi" and len(there.people.people.accounts()) == 1


async def test_what_the_provider_is_asked_holds_the_way_back_together(there: There) -> None:
    _, asked = there.depart()
    _, other = there.depart()
    assert asked["response_type"] == "code" and asked["client_id"] == CLIENT and asked["scope"] == "openid profile"
    assert asked["redirect_uri"] == f"{ORIGIN}/sign-in/provider/callback"
    assert asked["code_challenge_method"] == "S256"
    assert not set(asked.values()) & {other["state"], other["nonce"], other["code_challenge"]}
    await there.signed_in()
    (form,) = there.documents.forms
    verifier = hashlib.sha256(form["code_verifier"].encode()).digest()
    assert form["code"] == "the-code" and form["redirect_uri"] == asked["redirect_uri"]
    assert there.documents.shown == [(CLIENT, "s3cret")]
    ticket, asked = there.depart()
    there.answers(asked)
    await there.provider.arrive(Return(ticket, asked["state"], "the-code"), ORIGIN, HERE)
    verifier = hashlib.sha256(there.documents.forms[-1]["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(verifier).rstrip(b"=").decode() == asked["code_challenge"]


async def test_an_account_here_is_never_taken_by_its_name(there: There) -> None:
    there.people.add("anna.rossi")
    person = await there.signed_in()
    assert person.account.name.startswith("anna.rossi-") and person.account.name != "anna.rossi"
    assert isinstance(await there.people.sign_in.password("anna.rossi", PASSWORD, HERE), SignedIn)


async def test_a_name_that_is_a_devices_is_not_given(there: There) -> None:
    person = await there.signed_in(preferred_username="CT")
    assert person.account.name.startswith("ct-")


@pytest.mark.parametrize(
    "name", ["", "@", "operator:root", "x" * 500, "Łukasz Żółw", None, 5, ["a"], "leadglass", "<b>"]
)
async def test_whatever_name_the_provider_tells_the_account_has_a_good_one(there: There, name: Any) -> None:
    person = await there.signed_in(preferred_username=name, name="\u202eevil\n" + "y" * 500)
    shown = person.account.display
    assert 0 < len(shown) <= 128 and shown.isprintable()
    there.archive.devices.examine(SYSTEM, device("mr"))
    assert there.archive.accounts.account(SYSTEM, person.account.name).subject == f"anna@{ISSUER}"


async def test_other_groups_act_at_the_next_sign_in_and_end_what_was_open(there: There) -> None:
    before = await there.signed_in()
    after = await there.signed_in(groups=["porters"])
    assert after.account.roles == {Role.TECHNOLOGIST} and after.account.institutions == {"sud"}
    assert not there.people.sessions.still_valid(before)
    await refused(there.sign_in(groups=[]))
    assert not there.people.people.sessions(after.account.name)


async def test_a_disabled_account_stays_out(there: There) -> None:
    person = await there.signed_in()
    there.people.people.change_account(person.account.name, lambda one: replace(one, disabled=5))
    with pytest.raises(LeadglassError) as error:
        await there.sign_in()
    assert error.value.code is ErrorCode.NOT_AUTHENTICATED


async def test_a_role_that_demands_a_second_factor_has_it_there_or_here(there: There) -> None:
    step = await there.sign_in(groups=["admins"])
    assert isinstance(step, MustEnrol)
    there.people.people.change_account("anna.rossi", lambda one: replace(one, totp_secret=SECRET))
    step = await there.sign_in(groups=["admins"])
    assert isinstance(step, NeedsSecond)
    assert isinstance(await there.people.sign_in.totp(step.code, there.people.digits(), HERE), SignedIn)
    await there.signed_in(groups=["admins"], amr=["pwd", "mfa"])
    assert isinstance(await there.sign_in(groups=["admins"], amr="mfa"), NeedsSecond)
    there.settings = replace(PEOPLE, asks_second_factor=True)
    await there.signed_in(groups=["admins"])


async def test_groups_may_stand_at_the_userinfo_endpoint(there: There) -> None:
    there.documents.answers[USERINFO_URL] = {"sub": "anna", "groups": ["porters"]}
    assert (await there.signed_in(groups=None)).account.roles == {Role.TECHNOLOGIST}
    told = {"sub": "ugo", "groups": ["porters"], "name": "Ugo Bianchi", "preferred_username": "ugo", "amr": ["mfa"]}
    there.documents.answers[USERINFO_URL] = told
    there.says = {}
    ugo = await there.signed_in(sub="ugo", groups=None)
    assert (ugo.account.name, ugo.account.display) == ("ugo", "Ugo Bianchi")
    assert (await there.signed_in(sub="ugo")).account.roles == {Role.CLINICIAN}  # the ID token counts more
    there.documents.answers[USERINFO_URL] = {"sub": "root", "groups": ["admins"]}
    await refused(there.sign_in(groups=None))
    del there.documents.answers[USERINFO_URL]
    await refused(there.sign_in(groups=None))


HOSTILE: dict[str, dict[str, Any]] = {
    "no nonce": {"nonce": None},
    "another nonce": {"nonce": "x" * 43},
    "a nonce of another kind": {"nonce": ["x"]},
    "for another client": {"aud": "another"},
    "for programs": {"aud": "leadglass"},
    "for two clients": {"aud": [CLIENT, "another"]},
    "for another party": {"aud": [CLIENT, "another"], "azp": "another"},
    "of another issuer": {"iss": "https://evil.example"},
    "expired": {"exp": 1},
    "without subject": {"sub": None},
    "subject with a line end": {"sub": "anna\nroot"},
    "no group": {"groups": []},
    "groups of another kind": {"groups": {"radiology": 1}},
}


@pytest.mark.parametrize("case", HOSTILE)
async def test_an_id_token_that_is_not_for_this_sign_in_lets_nobody_in(there: There, case: str) -> None:
    await refused(there.sign_in(**HOSTILE[case]))
    assert not there.people.people.accounts()


async def test_a_token_that_somebody_else_signed_lets_nobody_in(there: There) -> None:
    there.key = OTHER
    await refused(there.sign_in())


RETURNS: dict[str, Callable[[Return], Return]] = {
    "no ticket": lambda back: replace(back, ticket=""),
    "another's ticket": lambda back: replace(back, ticket=back.ticket[::-1]),
    "no state": lambda back: replace(back, state=""),
    "another state": lambda back: replace(back, state="x" * 43),
    "state that is no ASCII": lambda back: replace(back, state="è" * 43),
    "no code": lambda back: replace(back, code=""),
    "long code": lambda back: replace(back, code="x" * 5000),
    "another provider": lambda back: replace(back, issuer="https://evil.example"),
}


@pytest.mark.parametrize("case", RETURNS)
async def test_a_return_that_is_not_from_this_departure_lets_nobody_in(there: There, case: str) -> None:
    ticket, asked = there.depart()
    there.answers(asked)
    good = Return(ticket, asked["state"], "the-code", ISSUER)
    await refused(there.provider.arrive(RETURNS[case](good), ORIGIN, HERE))
    assert not there.documents.forms
    assert isinstance(await there.provider.arrive(good, ORIGIN, HERE), SignedIn)
    await refused(there.provider.arrive(good, ORIGIN, HERE))


async def test_the_ticket_of_one_browser_does_not_take_the_answer_of_another(there: There) -> None:
    """Signing a victim's browser in as somebody else."""
    _, attackers = there.depart()
    victims, _ = there.depart()
    there.answers(attackers)
    await refused(there.provider.arrive(Return(victims, attackers["state"], "the-code"), ORIGIN, HERE))


async def test_a_departure_is_good_for_ten_minutes(there: There) -> None:
    ticket, asked = there.depart()
    there.answers(asked)
    there.people.clock.now += LIFETIME
    await refused(there.provider.arrive(Return(ticket, asked["state"], "the-code"), ORIGIN, HERE))


@pytest.mark.parametrize("answer", [None, b"", b"[]", b"{}", b'{"id_token": 5}', b'{"id_token": "a.b.c"}', b"[" * 9000])
async def test_a_provider_that_answers_nonsense_lets_nobody_in(there: There, answer: bytes | None) -> None:
    ticket, asked = there.depart()
    there.documents.answers[TOKEN_URL] = answer
    await refused(there.provider.arrive(Return(ticket, asked["state"], "the-code"), ORIGIN, HERE))


async def test_keys_that_changed_are_fetched_again(there: There) -> None:
    there.documents.answers[KEYS_URL] = {"keys": [public(OTHER, "one")]}
    there.key = OTHER
    await there.signed_in()


async def test_who_was_signed_in_there_for_hours_has_given_no_fresh_proof(there: There) -> None:
    now = int(there.clock.now)
    assert not there.people.sessions.fresh(await there.signed_in())
    assert not there.people.sessions.fresh(await there.signed_in(auth_time=now - 3600))
    assert not there.people.sessions.fresh(await there.signed_in(auth_time="now"))
    assert there.people.sessions.fresh(await there.signed_in(auth_time=now - 10))


async def test_a_fresh_proof_there_takes_the_place_of_the_session_here(there: There) -> None:
    before = await there.signed_in()
    asked = parse_qs(urlsplit(there.provider.depart(ORIGIN, fresh=True).address).query)
    assert asked["prompt"] == ["login"] and asked["max_age"] == ["0"]
    ticket, told = there.depart()
    assert told["max_age"] == "43200" and "prompt" not in told
    there.answers(told, auth_time=int(there.clock.now))
    step = await there.provider.arrive(Return(ticket, told["state"], "the-code"), ORIGIN, HERE, before)
    assert isinstance(step, SignedIn)
    assert len(there.people.people.sessions(before.account.name)) == 1
    ticket, told = there.depart()
    there.answers(told, sub="ugo", preferred_username="ugo")
    await there.provider.arrive(Return(ticket, told["state"], "the-code"), ORIGIN, HERE, before)
    assert len(there.people.people.sessions(before.account.name)) == 1
