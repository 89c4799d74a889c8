"""Bearer tokens of an OpenID provider: what is let in, every way that is not, and how soon a change acts."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey
from programs_support import Clock, Sink
from provider import (
    AUDIENCE,
    ISSUER,
    KEY,
    KEYS_URL,
    NORTH,
    OTHER,
    SETTINGS,
    USERINFO_URL,
    AtOnce,
    Documents,
    b64,
    claims,
    public,
    raw,
    signed,
)

from leadglass.app.archive import Archive
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import SYSTEM, PrincipalKind, Right
from leadglass.core.reach import EVERYTHING, Reach
from leadglass.core.tokens import Grant
from leadglass.services.openid import OpenId
from leadglass.services.programs import Programs


@pytest.fixture
def documents() -> Documents:
    return Documents()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def programs(archive: Archive, documents: Documents, clock: Clock, sink: Sink) -> Programs:
    provider = OpenId(SETTINGS, documents, AtOnce(1), now=clock)
    return Programs(archive.state, archive.keys.token, refusals=sink, provider=provider, now=clock)


async def refused(programs: Programs, bearer: str, address: str = "192.0.2.1") -> None:
    with pytest.raises(LeadglassError) as error:
        await programs.principal(f"Bearer {bearer}", address)
    assert error.value.code is ErrorCode.NOT_AUTHENTICATED


async def test_a_token_lets_in_with_what_its_entry_says(programs: Programs, clock: Clock) -> None:
    who = await programs.principal(f"Bearer {signed(claims(clock), typ='at+jwt')}", "192.0.2.1")
    assert (who.kind, who.name, who.reach) == (PrincipalKind.PROGRAM, f"anna@{ISSUER}", EVERYTHING)
    assert who.rights == {Right.ECHO, Right.FIND, Right.RETRIEVE}
    assert programs.still_valid(who)


async def test_the_first_entry_that_fits_decides_alone(programs: Programs, clock: Clock) -> None:
    both = signed(claims(clock, groups=["north", "radiology"]))
    assert Right.STORE not in (await programs.principal(f"Bearer {both}", "")).rights
    north = signed(claims(clock, groups=["north"]))
    who = await programs.principal(f"Bearer {north}", "")
    assert (who.reach, Right.STORE in who.rights) == (NORTH, True)


async def test_a_grant_to_a_subject_widens_its_reach(archive: Archive, programs: Programs, clock: Clock) -> None:
    bearer = signed(claims(clock, groups=["north"]))
    before = await programs.principal(f"Bearer {bearer}", "")
    archive.tokens.grant(SYSTEM, Grant(f"anna@{ISSUER}", "1.2"))
    assert not programs.still_valid(before)
    assert (await programs.principal(f"Bearer {bearer}", "")).reach == NORTH | Reach(studies=frozenset({"1.2"}))


PEM = KEY.as_pem(private=False)
HOSTILE: dict[str, tuple[str, Callable[[Clock], str]]] = {
    "alg none": ("algorithm", lambda c: raw(b'{"alg":"none"}', json.dumps(claims(c)).encode(), b"")),
    "alg None": ("algorithm", lambda c: raw(b'{"alg":"None","kid":"one"}', json.dumps(claims(c)).encode(), b"")),
    "HS256 with the public key": ("algorithm", lambda c: _by_hmac(claims(c), "HS256")),
    "HMAC with the public key, called RS256": ("signature", lambda c: _by_hmac(claims(c), "RS256")),
    "another algorithm of the same key": ("algorithm", lambda c: signed(claims(c), alg="PS256")),
    "alg as a list": ("algorithm", lambda c: raw(b'{"alg":["RS256"],"kid":"one"}')),
    "alg twice": ("header", lambda c: raw(b'{"alg":"none","alg":"RS256","kid":"one"}')),
    "unknown kid": ("key", lambda c: signed(claims(c), kid="two")),
    "kid of another kind": ("header", lambda c: raw(b'{"alg":"RS256","kid":{"one":1}}')),
    "signed by a key of its own": ("signature", lambda c: signed(claims(c), OTHER)),
    "a key in its header": ("signature", lambda c: signed(claims(c), OTHER, jwk=OTHER.as_dict(private=False))),
    "crit": ("header", lambda c: signed(claims(c), crit=["exp"])),
    "b64 false": ("header", lambda c: signed(claims(c), b64=False)),
    "logout token": ("header", lambda c: signed(claims(c), typ="logout+jwt")),
    "no signature": ("signature", lambda c: signed(claims(c)).rsplit(".", 1)[0] + "."),
    "claims changed": ("signature", lambda c: _spliced(signed(claims(c)), {**claims(c), "sub": "root"})),
    "wrong issuer": ("issuer", lambda c: signed(claims(c, iss=ISSUER + "/"))),
    "issuer as a list": ("issuer", lambda c: signed(claims(c, iss=[ISSUER]))),
    "wrong audience": ("audience", lambda c: signed(claims(c, aud="another"))),
    "no audience": ("audience", lambda c: signed(claims(c, aud=None))),
    "audience as an object": ("audience", lambda c: signed(claims(c, aud={AUDIENCE: 1}))),
    "expired": ("expired", lambda c: signed(claims(c, exp=int(c.now) - 300))),
    "never expires": ("claims", lambda c: signed(claims(c, exp=None))),
    "expires at NaN": ("claims", lambda c: signed(json.dumps(claims(c, exp=float("nan"))).encode())),
    "expires at infinity": ("claims", lambda c: signed(json.dumps(claims(c, exp=float("inf"))).encode())),
    "expires at 10**400": ("claims", lambda c: signed(claims(c, exp=10**400))),
    "expires true": ("claims", lambda c: signed(claims(c, exp=True))),
    "expires as text": ("claims", lambda c: signed(claims(c, exp="9999999999"))),
    "no iat": ("claims", lambda c: signed(claims(c, iat=None))),
    "issued in the future": ("not-yet-valid", lambda c: signed(claims(c, iat=int(c.now) + 302))),
    "not yet valid": ("not-yet-valid", lambda c: signed(claims(c, nbf=int(c.now) + 302))),
    "no subject": ("subject", lambda c: signed(claims(c, sub=None))),
    "subject with a line end": ("subject", lambda c: signed(claims(c, sub="anna\nroot"))),
    "subject too long": ("subject", lambda c: signed(claims(c, sub="x" * 256))),
    "no group": ("no-entry", lambda c: signed(claims(c, groups=[]))),
    "groups of another kind": ("no-entry", lambda c: signed(claims(c, groups={"radiology": 1}))),
    "group without its scope": ("no-entry", lambda c: signed(claims(c, scope="openid"))),
    "claims twice": ("claims", lambda c: signed(json.dumps(claims(c))[:-1].encode() + b',"aud":"x"}')),
    "claims as a list": ("claims", lambda c: signed(b"[]")),
    "claims nested deep": ("claims", lambda c: signed(b"[" * 9_000)),
    "header nested deep": ("header", lambda c: raw(b"[" * 1_500)),
    "header huge": ("header", lambda c: raw(b'{"alg":"RS256","kid":"' + b"x" * 9_000 + b'"}')),
    "not base64": ("header", lambda c: "!!.!!.!!"),
    "empty parts": ("header", lambda c: ".."),
    "not ASCII": ("header", lambda c: "☃.☃.☃"),
}


def _by_hmac(payload: Mapping[str, Any], algorithm: str) -> str:
    """Signed by HMAC with the PEM of the provider's public key, which everybody has."""
    head = b64(json.dumps({"alg": algorithm, "kid": "one"}).encode()) + b"." + b64(json.dumps(payload).encode())
    return (head + b"." + b64(hmac.digest(PEM, head, "sha256"))).decode()


def _spliced(bearer: str, payload: Mapping[str, Any]) -> str:
    head, _, signature = bearer.split(".")
    return f"{head}.{b64(json.dumps(payload).encode()).decode()}.{signature}"


@pytest.mark.parametrize("case", HOSTILE)
async def test_nothing_hostile_is_let_in(programs: Programs, clock: Clock, sink: Sink, case: str) -> None:
    cause, make = HOSTILE[case]
    await refused(programs, make(clock))
    assert sink.causes == [f"openid-{cause}"]


async def test_an_encrypted_or_nested_token_is_none(programs: Programs, sink: Sink) -> None:
    await refused(programs, "a.b.c.d.e")
    assert sink.causes == ["no-token"]


async def test_five_minutes_of_skew_are_granted(programs: Programs, clock: Clock) -> None:
    await programs.principal(f"Bearer {signed(claims(clock, iat=int(clock.now) + 299))}", "")
    await programs.principal(f"Bearer {signed(claims(clock, exp=int(clock.now) - 298))}", "")


@pytest.mark.parametrize(
    "item",
    [
        public(KEY, "one", use="enc"),
        public(KEY, "one", alg="RS512"),
        {"kty": "oct", "k": "AAAA", "kid": "one"},
        {"kty": "RSA", "kid": "one", "n": "x", "e": "AQAB"},
        public(RSAKey.generate_key(1024, auto_kid=False), "one"),
        public(ECKey.generate_key("P-256"), "one"),
        "one",
    ],
    ids=["enc", "another alg", "oct", "broken", "weak", "EC", "text"],
)
async def test_a_key_that_does_not_fit_verifies_nothing(
    programs: Programs, documents: Documents, clock: Clock, sink: Sink, item: Any
) -> None:
    documents.answers[KEYS_URL] = {"keys": [item]}
    await refused(programs, signed(claims(clock)))
    assert sink.causes == ["openid-key"]


async def test_keys_are_fetched_once_and_again_for_an_unknown_key_once_a_minute(
    programs: Programs, documents: Documents, clock: Clock
) -> None:
    for number in range(5):
        await programs.principal(f"Bearer {signed(claims(clock, jti=str(number)))}", "")
    assert documents.asked == [KEYS_URL]
    documents.answers[KEYS_URL] = {"keys": [public(OTHER, "two")]}
    rotated = signed(claims(clock), OTHER, kid="two")
    clock.now += 61
    for number in range(9):
        await refused(programs, signed(claims(clock), kid=f"unknown{number}"), f"192.0.2.{number}")
    assert documents.asked == [KEYS_URL] * 2
    assert (await programs.principal(f"Bearer {rotated}", "")).name.startswith("anna@")
    await refused(programs, signed(claims(clock, jti="new")))  # by the key that is gone


async def test_keys_outlive_a_provider_that_is_down_but_not_for_ever(
    programs: Programs, documents: Documents, clock: Clock
) -> None:
    await programs.principal(f"Bearer {signed(claims(clock))}", "")
    documents.answers.clear()
    clock.now += 23 * 3600
    await programs.principal(f"Bearer {signed(claims(clock))}", "")
    clock.now += 3600
    await refused(programs, signed(claims(clock)))


async def test_a_removed_group_acts_within_ten_minutes(
    programs: Programs, documents: Documents, clock: Clock, sink: Sink
) -> None:
    documents.answers[USERINFO_URL] = {"sub": "anna", "groups": ["radiology"]}
    bearer = f"Bearer {signed(claims(clock, exp=int(clock.now) + 36_000))}"
    who = await programs.principal(bearer, "")
    for _ in range(40):  # twenty minutes: still a member
        clock.now += 30
        await programs.principal(bearer, "")
    assert documents.asked.count(USERINFO_URL) <= 4  # every five minutes at most, once the token is old
    documents.answers[USERINFO_URL] = {"sub": "anna", "groups": ["porters"]}
    removed = clock.now
    with pytest.raises(LeadglassError):
        while clock.now - removed <= 600:
            await programs.principal(bearer, "")
            clock.now += 10
    assert clock.now - removed <= 600
    assert not programs.still_valid(who)


@pytest.mark.parametrize(
    "answer",
    [None, {"sub": "anna"}, {"sub": "bruno", "groups": ["radiology"]}, {"groups": ["radiology"]}, b"[]", b"{", b"\xff"],
    ids=str,
)
async def test_an_old_token_needs_the_providers_word(
    programs: Programs, documents: Documents, clock: Clock, answer: Any
) -> None:
    documents.answers[USERINFO_URL] = answer
    await refused(programs, signed(claims(clock, iat=int(clock.now) - 600)))
    await programs.principal(f"Bearer {signed(claims(clock, iat=int(clock.now) - 400))}", "")


async def test_an_old_token_is_refused_where_no_userinfo_is_configured(
    archive: Archive, documents: Documents, clock: Clock, sink: Sink
) -> None:
    provider = OpenId(replace(SETTINGS, userinfo_url=""), documents, AtOnce(1), now=clock)
    programs = Programs(archive.state, archive.keys.token, refusals=sink, provider=provider, now=clock)
    await refused(programs, signed(claims(clock, iat=int(clock.now) - 601)))
    assert sink.causes == ["openid-not-confirmed"]


async def test_a_stream_goes_on_as_long_as_the_provider_confirms(
    programs: Programs, documents: Documents, clock: Clock
) -> None:
    documents.answers[USERINFO_URL] = {"sub": "anna", "groups": ["radiology"]}
    who = await programs.principal(f"Bearer {signed(claims(clock, exp=int(clock.now) + 36_000))}", "")
    for _ in range(1800):
        clock.now += 1
        assert programs.still_valid(who), clock.now
    documents.answers[USERINFO_URL] = None
    for _ in range(600):
        clock.now += 1
        programs.still_valid(who)
    assert not programs.still_valid(who)
