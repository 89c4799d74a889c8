"""What a share shows to a stranger, for how long, and what its sharer is told; and that all refusals look alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from objects import store_one, study_uid, uid, whole_study
from sharing import STRANGER, Sharing

from leadglass.access import passwords
from leadglass.access.share_links import new_link, new_passcode, passphrase_of, plain_passcode
from leadglass.app.archive import Archive
from leadglass.core.accounts import Role
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent
from leadglass.core.people_json import share_from, to_dict
from leadglass.core.principal import Principal, PrincipalKind, Right
from leadglass.core.reach import EVERYTHING
from leadglass.core.sessions import Audience
from leadglass.core.shares import MOST_MISSES, MOST_SHOWN, ShareState
from leadglass.core.tokens import Grant
from leadglass.services import share_entrance
from leadglass.services.sessions import IDLE
from leadglass.services.share_entrance import OVER, WRONG
from leadglass.services.shares import DAY, MadeShare, WantedShare

SECONDS = 1_000_000_000


@pytest.fixture
async def sharing(archive: Archive) -> Sharing:
    for number in (1, 2):
        await store_one(archive, 1, number)
    await store_one(archive, 2)
    await store_one(archive, 3)
    return Sharing(archive)


async def seen(sharing: Sharing, cookie: str, number: int = 1) -> list[str]:
    """The instances of a study that a stranger sees."""
    person = sharing.stranger(cookie)
    if person is None:
        return []
    found = await sharing.archive.retrieve.select(person.principal, whole_study(number))
    return [stored.identity.sop_instance_uid for stored in found]


async def refusal(sharing: Sharing, link: str, passcode: str) -> LeadglassError:
    with pytest.raises(LeadglassError) as refused:
        await sharing.entrance.open(link, passcode, STRANGER)
    return refused.value


async def test_a_stranger_with_link_and_passcode_sees_what_was_shared_and_nothing_else(sharing: Sharing) -> None:
    made = sharing.make(1)
    cookie = await sharing.opened(made)
    assert await seen(sharing, cookie) == [uid(1, 1), uid(1, 2)]
    assert await seen(sharing, cookie, 2) == []  # of the sharer's, and not shared
    person = sharing.stranger(cookie)
    assert person is not None and person.share == sharing.kept(made)
    assert (person.principal.kind, person.principal.name) == (PrincipalKind.SHARE, f"share:{made.share.identifier}")
    assert person.principal.rights == {Right.FIND, Right.RETRIEVE}
    for audience in (Audience.PAGES, Audience.VIEWER):
        assert sharing.sessions.person(cookie, audience, "") is None


async def test_typing_a_passcode_in_small_letters_and_without_hyphens_is_as_good(sharing: Sharing) -> None:
    made = sharing.make()
    await sharing.entrance.open(made.link, f" {made.passcode.lower().replace('-', ' ')} ", STRANGER)


async def test_an_opening_is_counted_when_the_passcode_was_right_and_told_to_the_sharer(sharing: Sharing) -> None:
    made = sharing.make()
    await refusal(sharing, made.link, "3333-3333-3333")
    assert (sharing.kept(made).openings, sharing.kept(made).misses) == (0, 1)
    await sharing.opened(made)
    (own,) = sharing.shares.own(sharing.sharer())
    assert (own.openings, own.misses) == (1, 0)
    assert [(one.at, one.address, one.agent) for one in own.opened] == [
        (sharing.clock(), "198.51.100.9", "a stranger's browser")
    ]


async def test_images_that_come_later_are_shown_only_if_that_was_chosen(sharing: Sharing) -> None:
    fixed, growing = sharing.make(1), sharing.make(1, later=True)
    await store_one(sharing.archive, 1, 3)
    assert await seen(sharing, await sharing.opened(fixed)) == [uid(1, 1), uid(1, 2)]
    assert await seen(sharing, await sharing.opened(growing)) == [uid(1, 1), uid(1, 2), uid(1, 3)]
    assert await seen(sharing, await sharing.opened(growing), 2) == []


def expire(sharing: Sharing, made: MadeShare) -> None:
    sharing.clock.now = made.share.expires


def revoke(sharing: Sharing, made: MadeShare) -> None:
    sharing.shares.revoke_own(sharing.sharer(), made.share.identifier)


def lock(sharing: Sharing, made: MadeShare) -> None:
    sharing.people.change_share(made.share.identifier, lambda kept: replace(kept, misses=MOST_MISSES))


def use_up(sharing: Sharing, made: MadeShare) -> None:
    sharing.people.change_share(made.share.identifier, lambda kept: replace(kept, most_openings=1, openings=1))


ENDS: dict[ShareState, Callable[[Sharing, MadeShare], None]] = {
    ShareState.EXPIRED: expire,
    ShareState.REVOKED: revoke,
    ShareState.LOCKED: lock,
    ShareState.USED_UP: use_up,
}


@pytest.mark.parametrize("state", ENDS)
async def test_what_is_over_opens_no_more_and_says_why_only_to_who_has_the_passcode(
    sharing: Sharing, state: ShareState
) -> None:
    made = sharing.make()
    cookie = await sharing.opened(made)
    ENDS[state](sharing, made)
    assert sharing.kept(made).state(sharing.clock()) is state
    right = await refusal(sharing, made.link, made.passcode)
    assert (right.code, right.comment) == (ErrorCode.NOT_AUTHORISED, OVER[state])
    wrong = await refusal(sharing, made.link, "3333-3333-3333")
    unknown = await refusal(sharing, new_link(), made.passcode)
    assert (wrong.code, wrong.comment) == (unknown.code, unknown.comment) == (ErrorCode.NOT_AUTHENTICATED, WRONG)
    assert bool(await seen(sharing, cookie)) is (state is ShareState.USED_UP)  # who is in reads on
    assert sharing.kept(made).openings == 1


@pytest.mark.parametrize("state", [None, *ENDS])
async def test_e12_every_refusal_hashes_once_and_writes_the_same(
    sharing: Sharing, monkeypatch: pytest.MonkeyPatch, state: ShareState | None
) -> None:
    """The time of an answer tells nothing: what is done for it is the same."""
    made = sharing.make()
    if state is not None:
        ENDS[state](sharing, made)
    hashed: list[str] = []

    def watched(passcode: str, kept: str) -> bool:
        hashed.append(kept)
        return passwords.password_fits(passcode, kept)

    monkeypatch.setattr(share_entrance, "password_fits", watched)
    before = sharing.people.rights_epoch()
    await refusal(sharing, made.link, "3333-3333-3333")
    assert sharing.people.rights_epoch() == before + 1
    for link in (new_link(), "", "x" * 5_000, "é"):
        await refusal(sharing, link, "3333-3333-3333")
    assert hashed == [made.share.passcode, "", "", "", ""]


async def test_e12_ten_misses_lock_a_share_tell_its_sharer_and_end_what_was_open(sharing: Sharing) -> None:
    made = sharing.make()
    cookie = await sharing.opened(made)
    for number in range(MOST_MISSES):
        assert sharing.shares.locked(sharing.sharer()) == [], number
        await refusal(sharing, made.link, "3333-3333-3333")
    assert (await refusal(sharing, made.link, made.passcode)).comment == OVER[ShareState.LOCKED]
    assert sharing.stranger(cookie) is None
    assert [share.identifier for share in sharing.shares.locked(sharing.sharer())] == [made.share.identifier]
    revoke(sharing, made)
    assert sharing.shares.locked(sharing.sharer()) == []


async def test_openings_are_used_up_one_by_one_and_the_last_hundred_are_kept(sharing: Sharing) -> None:
    made = sharing.make(most_openings=2)
    await sharing.opened(made)
    await sharing.opened(made)
    assert (await refusal(sharing, made.link, made.passcode)).comment == OVER[ShareState.USED_UP]
    often = sharing.make()
    one = await sharing.entrance.open(often.link, often.passcode, STRANGER)
    sharing.people.change_share(
        often.share.identifier, lambda kept: replace(kept, openings=500, opened=one.share.opened * MOST_SHOWN)
    )
    await sharing.opened(often)
    assert (sharing.kept(often).openings, len(sharing.kept(often).opened)) == (501, MOST_SHOWN)


async def test_a_share_ends_with_its_sharers_account_and_comes_back_with_it(sharing: Sharing) -> None:
    made = sharing.make()
    cookie = await sharing.opened(made)
    sharing.people.change_account("rossi", lambda kept: replace(kept, disabled=1))
    assert sharing.stranger(cookie) is None
    assert (await refusal(sharing, made.link, made.passcode)).code is ErrorCode.NOT_AUTHORISED
    sharing.people.change_account("rossi", lambda kept: replace(kept, disabled=0))
    assert await seen(sharing, cookie) == [uid(1, 1), uid(1, 2)]
    sharing.people.change_account("rossi", lambda kept: replace(kept, roles=frozenset({Role.AUDITOR})))
    assert sharing.stranger(cookie) is None


async def test_what_its_sharer_sees_no_more_is_shared_no_more(sharing: Sharing) -> None:
    made = sharing.make(1, 2, later=True)
    cookie = await sharing.opened(made)
    person = sharing.stranger(cookie)
    assert person is not None and sharing.sessions.still_valid(person)
    sharing.archive.state.remove_grant(Grant("rossi", study_uid(1)))
    assert await seen(sharing, cookie, 1) == []
    assert await seen(sharing, cookie, 2) == [uid(2, 1)]
    assert not sharing.sessions.still_valid(person)  # what is under way ends too


async def test_a_session_idles_and_never_outlasts_its_share(sharing: Sharing) -> None:
    made = sharing.make(days=1)
    sharing.clock.now = made.share.expires - 60 * SECONDS
    cookie = await sharing.opened(made)
    assert sharing.stranger(cookie) is not None
    sharing.clock.now = made.share.expires
    assert sharing.stranger(cookie) is None
    other = sharing.make()
    cookie = await sharing.opened(other)
    sharing.clock.now += IDLE
    assert sharing.stranger(cookie) is None


async def test_only_within_its_own_lasting_reach_a_person_shares(sharing: Sharing) -> None:
    for studies in ((3,), (1, 3), (99,)):
        with pytest.raises(LeadglassError) as refused:
            sharing.make(*studies)
        assert refused.value.code is ErrorCode.NOT_FOUND
    wider = replace(sharing.sharer(), reach=EVERYTHING)  # as a broken glass makes it
    narrower = replace(sharing.sharer(), reach=sharing.sharer().reach.narrowed(frozenset({study_uid(1)})))
    program = replace(sharing.sharer(), kind=PrincipalKind.PROGRAM)
    for who in (wider, narrower, program, sharing_stranger()):
        with pytest.raises(LeadglassError) as refused:
            sharing.shares.create(who, WantedShare("Dr. Verdi", (study_uid(1),)))
        assert refused.value.code is ErrorCode.NOT_AUTHORISED
    assert sharing.people.shares() == []


def sharing_stranger() -> Principal:
    return Principal(PrincipalKind.SHARE, "share:34679ACDEF", frozenset({Right.FIND, Right.RETRIEVE}))


@pytest.mark.parametrize(
    "changes",
    [
        {"recipient": ""},
        {"recipient": " Dr. Verdi"},
        {"recipient": "x" * 129},
        {"recipient": "two\nlines"},
        {"days": 0},
        {"days": 91},
        {"most_openings": -1},
        {"most_openings": 101},
        {"studies": ()},
        {"note": "x" * 501},
    ],
    ids=str,
)
async def test_what_is_badly_described_is_not_made(sharing: Sharing, changes: dict[str, object]) -> None:
    with pytest.raises(LeadglassError) as refused:
        sharing.make(**changes)
    assert refused.value.code is ErrorCode.USAGE


async def test_nobody_sees_or_ends_the_shares_of_others_but_administrators(sharing: Sharing) -> None:
    made = sharing.make()
    other = replace(sharing.sharer(), name="bianchi")
    assert sharing.shares.own(other) == []
    with pytest.raises(LeadglassError) as refused:
        sharing.shares.revoke_own(other, made.share.identifier)
    assert refused.value.code is ErrorCode.NOT_FOUND
    with pytest.raises(LeadglassError) as refused:
        sharing.shares.shares(sharing.sharer())
    assert refused.value.code is ErrorCode.NOT_AUTHORISED
    administrator = replace(other, rights=frozenset({Right.ADMINISTER}))
    assert [share.identifier for share in sharing.shares.shares(administrator)] == [made.share.identifier]
    sharing.shares.revoke(administrator, made.share.identifier)
    assert sharing.kept(made).state(sharing.clock()) is ShareState.REVOKED


async def test_a_download_needs_to_be_allowed(sharing: Sharing) -> None:
    for download in (False, True):
        made = sharing.make(download=download)
        person = sharing.stranger(await sharing.opened(made))
        assert person is not None
        if download:
            sharing.entrance.download(person, study_uid(1))
        else:
            with pytest.raises(LeadglassError) as refused:
                sharing.entrance.download(person, study_uid(1))
            assert refused.value.code is ErrorCode.NOT_AUTHORISED


async def test_e13_the_journal_tells_every_step_and_neither_link_nor_passcode(
    sharing: Sharing, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[JournalEvent] = []
    monkeypatch.setattr(sharing.archive.journal, "record", lambda event, **_: events.append(event))
    made = sharing.make(1, 2)
    await refusal(sharing, made.link, "3333-3333-3333")
    await sharing.opened(made)
    revoke(sharing, made)
    await refusal(sharing, made.link, made.passcode)
    opened = [event for event in events if event.what == "share-opened"]
    assert {event.kind for event in opened} == {EventKind.DATA_EXPORT}
    assert [event.details["study_uid"] for event in opened] == [study_uid(1), study_uid(2)]
    assert {event.address for event in opened} == {"198.51.100.9"}
    told = [event.what for event in events if event.kind is not EventKind.APPLICATION_ACTIVITY]
    assert told == ["share-made"] * 2 + ["share-opened"] * 2 + ["share-revoked", "share-not-open"]
    assert [event.details["reason"] for event in sharing.sink.events] == ["passcode"]
    words = repr(events) + repr(sharing.sink.events) + repr(made) + repr(sharing.kept(made))
    for secret in (made.link, made.passcode, plain_passcode(made.passcode), made.share.passcode):
        assert secret not in words


async def test_only_so_many_passcodes_of_one_network_wait(sharing: Sharing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share_entrance, "MAX_OF_ONE", 0)
    made = sharing.make()
    assert (await refusal(sharing, made.link, made.passcode)).code is ErrorCode.OUT_OF_RESOURCES


def test_passcodes_have_twelve_characters_that_look_like_no_other_ones() -> None:
    made = {plain_passcode(new_passcode()) for _ in range(500)}
    assert len(made) == 500
    assert {len(text) for text in made} == {12}
    assert set("".join(made)) == set("34679ACDEFGHJKMNPQRTWXY")
    assert plain_passcode("9acd ef3g\u20117hjk") == "9ACDEF3G7HJK"
    assert passphrase_of(bytes(32)) != passphrase_of(b"\x01" + bytes(31))


async def test_a_share_is_kept_as_it_was_made(sharing: Sharing) -> None:
    made = sharing.make(1, 2, download=True, later=True, note="as agreed", most_openings=3, days=90)
    assert sharing.kept(made) == made.share
    assert made.share.expires == sharing.clock() + 90 * DAY
    await sharing.opened(made)
    kept = sharing.kept(made)
    assert share_from(json.loads(json.dumps(to_dict(kept)))) == kept
    assert sharing.people.share_by_link(made.share.link) == kept
