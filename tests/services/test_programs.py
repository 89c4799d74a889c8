"""Who comes with a token is let in as long as it holds, and is told nothing otherwise."""

from __future__ import annotations

from dataclasses import replace

import pytest
from archives import opened
from objects import store_one, study_uid, whole_study
from programs_support import Clock, Sink

from leadglass.access.limits import MAX_REFUSED_TITLES
from leadglass.access.tokens import token_text
from leadglass.app.archive import Archive
from leadglass.app.home import Home
from leadglass.core.device import Device
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind
from leadglass.core.limits import MAX_BEARER_LENGTH
from leadglass.core.principal import SYSTEM, Principal, PrincipalKind, Right
from leadglass.core.reach import EVERYTHING, Reach
from leadglass.core.tokens import Grant, Scope
from leadglass.services.programs import REFUSAL, Programs
from leadglass.services.tokens import Wanted

HERE = "192.0.2.1"
READ = frozenset({Scope.READ})


@pytest.fixture
def clock(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(archive.tokens, "_now", made.ns)
    return made


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def programs(archive: Archive, sink: Sink, clock: Clock) -> Programs:
    return Programs(archive.state, archive.keys.token, refusals=sink, now=clock)


def issue(archive: Archive, name: str = "ci", **changes: object) -> str:
    return archive.tokens.issue(SYSTEM, replace(Wanted(name, READ), **changes)).text  # type: ignore[arg-type]


async def refused(programs: Programs, authorization: str, address: str = HERE) -> None:
    with pytest.raises(LeadglassError) as error:
        await programs.principal(authorization, address)
    assert (error.value.code, error.value.comment) == (ErrorCode.NOT_AUTHENTICATED, REFUSAL)


async def test_a_token_lets_in_with_its_rights_and_reach(archive: Archive, programs: Programs) -> None:
    text = issue(archive)
    who = await programs.principal(f"Bearer {text}", HERE)
    assert (who.kind, who.name, who.address) == (PrincipalKind.PROGRAM, "ci", HERE)
    assert who.rights == {Right.ECHO, Right.FIND, Right.RETRIEVE}
    assert who.reach == EVERYTHING
    one = issue(archive, "one", reach=Reach(studies=frozenset({study_uid(1)})))
    who = await programs.principal(f"bearer  {one}", HERE)
    assert who.reach == Reach(studies=frozenset({study_uid(1)}))


async def test_nothing_of_a_token_is_kept_that_lets_in(archive: Archive, home: Home) -> None:
    text = issue(archive)
    (kept,) = archive.state.tokens()
    assert text not in repr(kept)
    assert text.encode() not in kept.digest
    assert archive.state.token_by_digest(text.encode()) is None


@pytest.mark.parametrize(
    ("authorization", "cause"),
    [
        ("", "no-bearer"),
        ("Bearer", "no-bearer"),
        ("Bearer ", "no-bearer"),
        ("Basic Y2k6Y2k=", "no-bearer"),
        ("Bearer garbage", "no-token"),
        ("Bearer \udcff\x00☃", "no-token"),
        ("Bearer a.b.c", "no-token"),  # no provider is configured
        ("Bearer lg_" + "A" * 49, "no-token"),  # its checksum is off
        ("Bearer " + token_text(bytes(32)), "unknown-token"),
        ("Bearer " + "x" * (MAX_BEARER_LENGTH + 1), "too-long"),
    ],
)
async def test_all_others_get_one_refusal_and_the_journal_its_cause(
    programs: Programs, sink: Sink, authorization: str, cause: str
) -> None:
    await refused(programs, authorization)
    (event,) = sink.events
    assert (event.kind, event.details["reason"], event.address) == (EventKind.USER_AUTHENTICATION, cause, HERE)
    assert "lg_" not in repr(event)


async def test_a_token_ends_with_its_last_day(archive: Archive, programs: Programs, clock: Clock, sink: Sink) -> None:
    text = issue(archive, days=1)
    who = await programs.principal(f"Bearer {text}", HERE)
    clock.now += 24 * 3600 - 1
    await programs.principal(f"Bearer {text}", HERE)
    assert programs.still_valid(who)
    clock.now += 1
    assert not programs.still_valid(who)
    await refused(programs, f"Bearer {text}")
    assert sink.causes == ["expired"]


async def test_a_revoked_token_ends_at_the_next_request_in_every_process(
    archive: Archive, home: Home, programs: Programs, sink: Sink
) -> None:
    text = issue(archive)
    who = await programs.principal(f"Bearer {text}", HERE)
    assert programs.still_valid(who)
    with opened(home) as another:
        another.tokens.revoke(SYSTEM, "ci")
    assert not programs.still_valid(who)
    await refused(programs, f"Bearer {text}")
    assert sink.causes == ["revoked"]


async def test_another_change_of_rights_ends_no_stream(archive: Archive, programs: Programs) -> None:
    text = issue(archive)
    who = await programs.principal(f"Bearer {text}", HERE)
    archive.devices.enrol(SYSTEM, Device("mr", ("MR",), ("192.0.2.7",), frozenset({Right.ECHO})))
    assert programs.still_valid(who)
    assert not programs.still_valid(replace(who, rights=frozenset(Right)))
    assert not programs.still_valid(Principal(PrincipalKind.PROGRAM, "ci2", who.rights))


async def test_a_name_given_anew_is_another_token(archive: Archive, programs: Programs) -> None:
    first = issue(archive)
    with pytest.raises(LeadglassError) as taken:
        issue(archive)
    assert taken.value.code is ErrorCode.USAGE
    archive.tokens.revoke(SYSTEM, "ci")
    second = issue(archive)
    await refused(programs, f"Bearer {first}")
    await programs.principal(f"Bearer {second}", HERE)


async def test_a_grant_widens_a_list_and_is_taken_back_at_once(archive: Archive, programs: Programs) -> None:
    for study in (1, 2):
        await store_one(archive, study)
    text = issue(archive, reach=Reach(studies=frozenset({study_uid(1)})))
    grant = Grant("ci", patient_id="P2")
    archive.tokens.grant(SYSTEM, grant)
    who = await programs.principal(f"Bearer {text}", HERE)
    assert len(await archive.retrieve.select(who, whole_study(2))) == 1
    archive.tokens.withdraw(SYSTEM, grant)
    assert not programs.still_valid(who)
    who = await programs.principal(f"Bearer {text}", HERE)
    assert await archive.retrieve.select(who, whole_study(2)) == []
    assert len(await archive.retrieve.select(who, whole_study(1))) == 1


async def test_who_guesses_is_put_off_and_who_was_let_in_is_not(
    archive: Archive, programs: Programs, sink: Sink
) -> None:
    known, fresh = issue(archive), issue(archive, "fresh")
    await programs.principal(f"Bearer {known}", "2001:db8::1")
    for number in range(MAX_REFUSED_TITLES):
        await refused(programs, f"Bearer {token_text(bytes([number]) * 32)}", f"2001:db8::{number + 1}")
    assert set(sink.causes) == {"unknown-token"}
    await refused(programs, f"Bearer {fresh}", "2001:db8::9")  # right, but from an address that guesses
    assert sink.causes[-1] == "guessing"
    await programs.principal(f"Bearer {known}", "2001:db8::1")
    await programs.principal(f"Bearer {fresh}", HERE)


async def test_one_wrong_token_again_and_again_locks_nobody_out(archive: Archive, programs: Programs) -> None:
    for _ in range(MAX_REFUSED_TITLES * 2):
        await refused(programs, "Bearer " + token_text(bytes(32)))
    await programs.principal(f"Bearer {issue(archive)}", HERE)


async def test_last_uses_are_written_once_a_minute_and_change_no_right(
    archive: Archive, programs: Programs, clock: Clock
) -> None:
    text = issue(archive)
    epoch = archive.state.rights_epoch()
    await programs.principal(f"Bearer {text}", HERE)
    programs.write_uses()
    assert archive.state.tokens()[0].last_used == 0
    clock.now += 61
    programs.write_uses()
    assert archive.state.tokens()[0].last_used == int((clock.now - 61) * 1e9)
    assert archive.state.rights_epoch() == epoch
    await programs.principal(f"Bearer {text}", HERE)
    programs.write_uses(at_once=True)
    assert archive.state.tokens()[0].last_used == clock.ns()


BAD = [
    {"name": ""},
    {"name": "a@b"},
    {"name": "operator:root"},
    {"name": "leadglass"},
    {"name": "ct"},  # a device
    {"scopes": frozenset()},
    {"days": 0},
    {"days": 367},
    {"reach": Reach()},
    {"reach": Reach(studies=frozenset({"1.2", "../etc"}))},
    {"reach": Reach(patients=frozenset({("", "")}))},
    {"reach": Reach(patients=frozenset({("", "P\n1")}))},
    {"reach": Reach(studies=frozenset({"1.2"})), "scopes": frozenset({Scope.ADMIN})},
    {"reach": Reach(studies=frozenset(f"1.{number}" for number in range(10_001)))},
]


@pytest.mark.parametrize("changes", BAD, ids=[f"{number}-{next(iter(bad))}" for number, bad in enumerate(BAD)])
def test_a_token_badly_described_is_not_issued(archive: Archive, changes: dict[str, object]) -> None:
    with pytest.raises(LeadglassError) as error:
        issue(archive, **changes)
    assert error.value.code is ErrorCode.USAGE
    assert archive.state.tokens() == []


@pytest.mark.parametrize(
    "grant", [Grant(""), Grant("ci"), Grant("ci", "1.2", "P1"), Grant("ci", "x"), Grant("ci", patient_id=" ")], ids=str
)
def test_a_grant_badly_described_is_not_given(archive: Archive, grant: Grant) -> None:
    with pytest.raises(LeadglassError) as error:
        archive.tokens.grant(SYSTEM, grant)
    assert error.value.code is ErrorCode.USAGE
