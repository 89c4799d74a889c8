"""Passkeys: made, asked for without a name, as a second step; and every answer that proves nothing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from authenticator import PRESENT, Authenticator, b64
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from people_support import HERE, PASSWORD, SECRET, PeopleOf

from leadglass.access.passkeys import Site, UnacceptableAnswer, credential_of, registered, sign_count_of
from leadglass.app.archive import Archive
from leadglass.core.accounts import Passkey, Role
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.sessions import Audience
from leadglass.services.one_time_codes import OWN
from leadglass.services.passkeys import TICKET_LIFETIME
from leadglass.services.sign_in import MustEnrol, NeedsSecond, SignedIn
from leadglass.services.sign_in_steps import TOO_LATE, WRONG

SITE = Site("https://pacs.example:8443", "pacs.example")
ELSEWHERE = Site("https://evil.example", "evil.example")


@pytest.fixture
def people(archive: Archive) -> Iterator[PeopleOf]:
    made = PeopleOf(archive)
    yield made
    made.threads.shutdown()


@pytest.fixture
def device() -> Authenticator:
    return Authenticator(SITE)


async def refused(work: Awaitable[Any], sentence: str = WRONG) -> None:
    with pytest.raises(LeadglassError) as error:
        await work
    assert (error.value.code, error.value.comment) == (ErrorCode.NOT_AUTHENTICATED, sentence)


async def enrolled(people: PeopleOf, device: Authenticator, name: str = "rossi", **changes: Any) -> SignedIn:
    people.add(name, **changes)
    code = people.codes.enrolment(name, **{OWN: "1"})
    options = await people.sign_in.offer_passkey(code, SITE)
    return await people.sign_in.confirm_passkey(code, SITE, device.create(options), "telephone", HERE)


async def test_a_passkey_is_added_where_a_role_demands_a_second_factor(people: PeopleOf, device: Authenticator) -> None:
    people.add("chief", Role.ADMINISTRATOR)
    step = await people.sign_in.password("chief", PASSWORD, HERE)
    assert isinstance(step, MustEnrol)
    options = await people.sign_in.offer_passkey(step.code, SITE)
    asked = json.loads(options)
    assert asked["rp"] == {"name": "Leadglass", "id": "pacs.example"}
    assert asked["authenticatorSelection"]["userVerification"] == "required"
    assert asked["authenticatorSelection"]["residentKey"] == "required"
    assert "chief" not in asked["user"]["id"]
    done = await people.sign_in.confirm_passkey(step.code, SITE, device.create(options), " telephone ", HERE)
    assert len(done.recovery) == 10
    person = people.sessions.person(done.cookie, Audience.PAGES, "")
    assert person is not None and person.account.passkeys[0].label == "telephone"


async def test_a_passkey_signs_in_alone(people: PeopleOf, device: Authenticator) -> None:
    await enrolled(people, device)
    request = await people.sign_in.passkey_request(SITE)
    assert "allowCredentials" not in json.loads(request.options) or not json.loads(request.options)["allowCredentials"]
    assert request.ticket not in repr(request)
    done = await people.sign_in.passkey(SITE, request.ticket, device.get(request.options), HERE)
    assert done.account.name == "rossi" and done.account.passkeys[0].sign_count == 1


async def test_a_passkey_is_the_second_step(people: PeopleOf, device: Authenticator) -> None:
    await enrolled(people, device)
    await enrolled(people, Authenticator(SITE), "bianchi")
    step = await people.sign_in.password("rossi", PASSWORD, HERE)
    assert isinstance(step, NeedsSecond) and step.passkey and not step.totp and step.recovery
    request = await people.sign_in.passkey_request(SITE, step.code)
    assert [item["id"] for item in json.loads(request.options)["allowCredentials"]] == [b64(device.credential_id)]
    answer = device.get(request.options)
    assert isinstance(await people.sign_in.passkey(SITE, request.ticket, answer, HERE, code=step.code), SignedIn)
    await refused(people.sign_in.passkey(SITE, request.ticket, answer, HERE, code=step.code), TOO_LATE)


async def test_anothers_passkey_is_no_second_step(people: PeopleOf, device: Authenticator) -> None:
    other = Authenticator(SITE)
    await enrolled(people, device)
    await enrolled(people, other, "bianchi")
    step = await people.sign_in.password("rossi", PASSWORD, HERE)
    assert isinstance(step, NeedsSecond)
    request = await people.sign_in.passkey_request(SITE, step.code)
    await refused(people.sign_in.passkey(SITE, request.ticket, other.get(request.options), HERE, code=step.code))
    request = await people.sign_in.passkey_request(SITE, step.code)
    done = await people.sign_in.passkey(SITE, request.ticket, device.get(request.options), HERE, code=step.code)
    assert done.account.name == "rossi"


async def test_an_answer_is_good_once_even_from_a_device_that_does_not_count(people: PeopleOf) -> None:
    device = Authenticator(SITE, counts=False)
    await enrolled(people, device)
    request = await people.sign_in.passkey_request(SITE)
    answer = device.get(request.options)
    assert isinstance(await people.sign_in.passkey(SITE, request.ticket, answer, HERE), SignedIn)
    await refused(people.sign_in.passkey(SITE, request.ticket, answer, HERE))
    assert people.causes == ["passkey-again"]


async def test_a_copied_passkey_is_noticed_by_its_counter(people: PeopleOf, device: Authenticator) -> None:
    await enrolled(people, device)
    for _ in range(2):
        request = await people.sign_in.passkey_request(SITE)
        await people.sign_in.passkey(SITE, request.ticket, device.get(request.options), HERE)
    device.count = 0
    request = await people.sign_in.passkey_request(SITE)
    await refused(people.sign_in.passkey(SITE, request.ticket, device.get(request.options), HERE))


async def test_a_ticket_is_ours_and_of_the_last_minutes(people: PeopleOf, device: Authenticator) -> None:
    await enrolled(people, device)
    request = await people.sign_in.passkey_request(SITE)
    answer = device.get(request.options)
    await refused(people.sign_in.passkey(SITE, "", answer, HERE))
    await refused(people.sign_in.passkey(SITE, request.ticket[:-4] + "AAAA", answer, HERE))
    people.clock.now += TICKET_LIFETIME
    await refused(people.sign_in.passkey(SITE, request.ticket, answer, HERE))


async def test_a_request_of_somebody_unknown_writes_nothing(people: PeopleOf, device: Authenticator) -> None:
    await enrolled(people, device)
    before = people.people.rights_epoch()
    request = await people.sign_in.passkey_request(SITE)
    await refused(people.sign_in.passkey(SITE, request.ticket, "{}", HERE))
    await refused(people.sign_in.passkey(SITE, request.ticket, Authenticator(SITE).get(request.options), HERE))
    assert people.people.rights_epoch() == before


LIES: dict[str, Callable[[Authenticator, str], str]] = {
    "user not verified": lambda device, options: _with(device, flags=PRESENT).get(options),
    "user not present": lambda device, options: _with(device, flags=0x04).get(options),
    "another origin": lambda device, options: device.get(options, origin="https://evil.example"),
    "another port": lambda device, options: device.get(options, origin="https://pacs.example"),
    "plain HTTP": lambda device, options: device.get(options, origin="http://pacs.example:8443"),
    "another site": lambda device, options: _with(device, site=Site(SITE.origin, "evil.example")).get(options),
    "a challenge of its own": lambda device, options: device.get(options, challenge=b64(b"x" * 32)),
    "of another kind": lambda device, options: device.get(options, type="webauthn.create"),
    "another key": lambda device, options: replace(Authenticator(SITE), credential_id=device.credential_id).get(
        options
    ),
    "no answer": lambda device, options: "",
    "a list": lambda device, options: "[]",
    "nothing in it": lambda device, options: '{"rawId": "AAAA"}',
    "nested deep": lambda device, options: "[" * 16_000,
    "long": lambda device, options: device.get(options) + " " * 20_000,
    "a number for a name": lambda device, options: '{"rawId": 5, "id": 5, "response": {}, "type": "public-key"}',
}


def _with(device: Authenticator, **changes: Any) -> Authenticator:
    return replace(device, **changes)


@pytest.mark.parametrize("lie", LIES)
async def test_an_answer_that_lies_lets_nobody_in(people: PeopleOf, device: Authenticator, lie: str) -> None:
    await enrolled(people, device)
    before = len(people.people.sessions("rossi"))
    request = await people.sign_in.passkey_request(SITE)
    await refused(people.sign_in.passkey(SITE, request.ticket, LIES[lie](device, request.options), HERE))
    assert len(people.people.sessions("rossi")) == before
    done = await people.sign_in.passkey(SITE, request.ticket, device.get(request.options), HERE)
    assert done.account.name == "rossi"


MAKINGS: dict[str, Callable[[Authenticator, str], str]] = {
    "user not verified": lambda device, options: _with(device, flags=PRESENT).create(options),
    "another origin": lambda device, options: device.create(options, origin="https://evil.example"),
    "another site": lambda device, options: _with(device, site=Site(SITE.origin, "evil.example")).create(options),
    "a challenge of its own": lambda device, options: device.create(options, challenge=b64(b"x" * 32)),
    "of another kind": lambda device, options: device.create(options, type="webauthn.get"),
    "an attestation with certificates": lambda device, options: device.create(
        options, fmt="packed", statement={"alg": -7, "sig": b"x", "x5c": [b"x"]}
    ),
    "an attestation of a TPM": lambda device, options: device.create(options, fmt="tpm", statement={"ver": "2.0"}),
    "a false signature of its own": lambda device, options: device.create(
        options, fmt="packed", statement={"alg": -7, "sig": b"x"}
    ),
    "a name of 2,000 bytes": lambda device, options: _with(device, credential_id=b"x" * 2000).create(options),
    "no answer": lambda device, options: "",
}


@pytest.mark.parametrize("lie", MAKINGS)
async def test_a_passkey_that_is_none_is_not_added(people: PeopleOf, device: Authenticator, lie: str) -> None:
    people.add("rossi")
    code = people.codes.enrolment("rossi", **{OWN: "1"})
    options = await people.sign_in.offer_passkey(code, SITE)
    await refused(people.sign_in.confirm_passkey(code, SITE, MAKINGS[lie](device, options), "telephone", HERE))
    account = people.people.account("rossi")
    assert account is not None and not account.passkeys
    for label in ("", " ", "x" * 65, "a\nb"):
        with pytest.raises(LeadglassError):
            await people.sign_in.confirm_passkey(code, SITE, device.create(options), label, HERE)
    await people.sign_in.confirm_passkey(code, SITE, device.create(options), "telephone", HERE)


async def test_the_challenge_of_another_step_makes_no_passkey(people: PeopleOf, device: Authenticator) -> None:
    people.add("rossi")
    one, two = (people.codes.enrolment("rossi", **{OWN: "1"}) for _ in range(2))
    options = await people.sign_in.offer_passkey(one, SITE)
    await refused(people.sign_in.confirm_passkey(two, SITE, device.create(options), "telephone", HERE))
    await people.sign_in.offer_passkey(two, SITE)
    await refused(people.sign_in.confirm_passkey(two, SITE, device.create(options), "telephone", HERE))


async def test_a_passkey_is_added_once(people: PeopleOf, device: Authenticator) -> None:
    await enrolled(people, device)
    code = people.codes.enrolment("rossi", **{OWN: "1"})
    options = await people.sign_in.offer_passkey(code, SITE)
    assert json.loads(options)["excludeCredentials"][0]["id"] == b64(device.credential_id)
    await refused(people.sign_in.confirm_passkey(code, SITE, device.create(options), "again", HERE), TOO_LATE)


async def test_who_is_disabled_is_not_let_in_by_a_passkey(people: PeopleOf, device: Authenticator) -> None:
    await enrolled(people, device)
    people.people.change_account("rossi", lambda one: replace(one, disabled=5))
    request = await people.sign_in.passkey_request(SITE)
    await refused(people.sign_in.passkey(SITE, request.ticket, device.get(request.options), HERE))


async def test_a_passkey_is_asked_for_while_passwords_are_guessed(people: PeopleOf, device: Authenticator) -> None:
    """It cannot be guessed, so nobody can lock it out."""
    await enrolled(people, device, totp_secret=SECRET)
    for _ in range(8):
        people.sign_in.steps.guard.note_wrong("192.0.2.7", "rossi", people.clock.now / 1e9)
    request = await people.sign_in.passkey_request(SITE)
    assert await people.sign_in.passkey(SITE, request.ticket, device.get(request.options), HERE)


async def test_a_passkey_is_a_fresh_proof_of_its_owner_alone(people: PeopleOf, device: Authenticator) -> None:
    old = await enrolled(people, device)
    person = people.sessions.person(old.cookie, Audience.PAGES, "")
    other = Authenticator(SITE)
    await enrolled(people, other, "bianchi")
    request = await people.sign_in.passkey_request(SITE)
    await refused(people.sign_in.passkey(SITE, request.ticket, other.get(request.options), HERE, replacing=person))
    request = await people.sign_in.passkey_request(SITE)
    answer = device.get(request.options)
    new = await people.sign_in.passkey(SITE, request.ticket, answer, HERE, replacing=person)
    assert people.sessions.person(old.cookie, Audience.PAGES, "") is None
    assert people.sessions.person(new.cookie, Audience.PAGES, "") is not None


def test_addresses_have_no_passkeys() -> None:
    assert Site("http://localhost:8042", "localhost").has_passkeys and SITE.has_passkeys
    assert not Site("https://10.1.2.3", "10.1.2.3").has_passkeys and not Site("https://[::1]", "[::1]").has_passkeys


PASSKEY = Passkey(b"id", b"key", 0, "telephone", 1)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.binary().map(b64),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "id",
                        "rawId",
                        "type",
                        "response",
                        "clientDataJSON",
                        "attestationObject",
                        "authenticatorData",
                        "signature",
                        "userHandle",
                    ]
                ),
                inner,
            )
        ),
        max_leaves=12,
    )
)
def test_nothing_invented_is_an_answer(invented: object) -> None:
    answer = json.dumps(invented)
    for read in (
        lambda: registered(SITE, b"c" * 32, answer, "telephone", 1),
        lambda: sign_count_of(SITE, b"c" * 32, answer, PASSKEY),
    ):
        with pytest.raises(UnacceptableAnswer):
            read()
    with contextlib.suppress(UnacceptableAnswer):
        assert isinstance(credential_of(answer), bytes)


async def test_a_passkey_is_no_way_round_the_provider(people: PeopleOf, device: Authenticator) -> None:
    old = await enrolled(people, device, password_hash="", subject="anna@https://id.example")
    request = await people.sign_in.passkey_request(SITE)
    await refused(people.sign_in.passkey(SITE, request.ticket, device.get(request.options), HERE))
    person = people.sessions.person(old.cookie, Audience.PAGES, "")
    request = await people.sign_in.passkey_request(SITE)
    assert await people.sign_in.passkey(SITE, request.ticket, device.get(request.options), HERE, replacing=person)
