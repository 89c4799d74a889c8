"""`leadglass share`, as an administrator and a script use it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from archives import device, make, opened
from commanding import Done, leadglass
from objects import store_one, study_uid

from leadglass.app.home import Home
from leadglass.core.accounts import Account, Role
from leadglass.core.sessions import Audience
from leadglass.core.tokens import Grant
from leadglass.services.sessions import Known
from leadglass.services.shares import MadeShare, WantedShare


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make(tmp_path, [device("ct")])


@pytest.fixture
def made(home: Home) -> MadeShare:
    """A share of somebody's."""
    with opened(home) as archive:
        asyncio.run(store_one(archive, 1))
        account = Account("rossi", "Anna", frozenset({Role.CLINICIAN}), 1, "test")
        archive.state.people.add_account(account)
        archive.state.put_grant(Grant("rossi", study_uid(1)))
        person = archive.sessions.person(
            archive.sessions.begin(account, Audience.PAGES, Known()), Audience.PAGES, "192.0.2.7"
        )
        assert person is not None
        return archive.shares.create(person.principal, WantedShare("Dr. Verdi", (study_uid(1),), download=True))


def test_shares_are_listed_without_their_secrets_and_revoked(home: Home, made: MadeShare) -> None:
    shown = leadglass("share", "list", home=home)
    assert shown.code == 0 and made.share.identifier in shown.out and "Dr. Verdi" in shown.out
    listed = leadglass("share", "list", "--json", home=home)
    (one,) = json.loads(listed.out)
    assert (one["sharer"], one["recipient"], one["studies"]) == ("rossi", "Dr. Verdi", [study_uid(1)])
    assert (one["state"], one["openings"], one["download"], one["instances"]) == ("open", 0, True, 1)
    for secret in (made.link, made.passcode, made.share.link.hex(), made.share.passcode):
        assert secret not in shown.out + listed.out
    assert leadglass("share", "list", "bianchi", "--json", home=home).json == []
    assert leadglass("share", "revoke", made.share.identifier, home=home).code == 0
    assert state(leadglass("share", "list", "--json", home=home)) == "revoked"


def test_an_unknown_share_is_not_revoked(home: Home, made: MadeShare) -> None:
    done = leadglass("share", "revoke", "34679ACDEF", home=home)
    assert done.code != 0 and "no such share" in done.err
    assert state(leadglass("share", "list", "--json", home=home)) == "open"


def state(done: Done) -> object:
    (one,) = done.json
    return one["state"]
