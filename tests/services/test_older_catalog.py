"""A catalog of an earlier schema is emptied by its migration, and the replay at the next start makes it whole again."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlcipher3.dbapi2 as sqlite
from archives import opened
from objects import data_set, encoded, image, store, study_uid, uid, whole_study

from leadglass.app.archive import Archive
from leadglass.app.cli.opening import keys_of
from leadglass.app.config import read_config
from leadglass.app.home import Home
from leadglass.core.attributes import Attribute
from leadglass.core.principal import SYSTEM, Principal, PrincipalKind, Right
from leadglass.core.query import Level, Query
from leadglass.core.reach import Reach

NORTH = Principal(PrincipalKind.DEVICE, "ct", frozenset(Right), institution="Nord")
KEYS = {tag: Attribute("UI") for tag in (0x0020000D, 0x00201206, 0x00201208)}


def as_schema_2(home: Home) -> None:
    """Make the catalog what it was before it knew who sent and who referred a study."""
    key = keys_of(home, read_config(home.config)).catalog
    connection = sqlite.connect(str(home.catalog), isolation_level=None)
    connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
    connection.execute("PRAGMA cipher_page_size = 2048")
    connection.execute("PRAGMA cipher_hmac_algorithm = HMAC_SHA256")
    for table in ("study_institutions", "study_referrers", "study_words", "listed", "unlisted"):
        connection.execute(f"DROP TABLE {table}")
    connection.execute("DROP INDEX instances_hidden")
    connection.execute("PRAGMA user_version = 2")
    connection.close()


async def answers(archive: Archive) -> object:
    told = []
    for reach in (SYSTEM.reach, Reach(institutions=frozenset({"nord"})), Reach(referring=frozenset({"verdi^ugo"}))):
        who = replace(SYSTEM, reach=reach)
        page = await archive.find.find(who, Query(Level.STUDY, KEYS))
        told.append(sorted(str(match) for match in page.matches))
        told.append([one.digest.hex() for one in await archive.retrieve.select(who, image(1, 1))])
    return told, archive.catalog.versions(uid(1, 1)), archive.trash.entries(SYSTEM), archive.catalog.statistics()


@pytest.fixture
async def filled(home: Home) -> Home:
    """Six segments: five contents of one UID, of which the first is served, and two more studies."""
    for number in range(5):
        with opened(home) as archive:
            made = data_set(1, 1, InstanceNumber=number + 10, ReferringPhysicianName="Verdi^Ugo")
            await store(archive, encoded(made), uid(1, 1), principal=NORTH)
    with opened(home) as archive:
        for study in (2, 3):
            await store(archive, encoded(data_set(study, 1)), uid(study, 1))
        archive.trash.delete(SYSTEM, whole_study(3), "test")
    return home


async def test_an_older_catalog_heals_and_answers_as_before(filled: Home) -> None:
    with opened(filled) as archive:
        archive.recovery.replay(SYSTEM)
        before = await answers(archive)
    as_schema_2(filled)
    with opened(filled) as archive:
        assert archive.catalog.marks() == {}
        report = archive.recovery.replay(SYSTEM)
        assert report.added == 7
        assert not report.damage
        assert await answers(archive) == before
    with opened(filled) as archive:
        assert archive.recovery.replay(SYSTEM).added == 0  # once
        assert await answers(archive) == before


async def test_a_rebuild_that_was_cut_short_begins_anew(filled: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(filled) as archive:
        archive.recovery.replay(SYSTEM)
        before = await answers(archive)
    as_schema_2(filled)
    with opened(filled) as archive:
        monkeypatch.setattr(archive.vault, "adopt", lambda segment: 1 / 0)  # entries are in, marks are not
        with pytest.raises(ZeroDivisionError):
            archive.recovery.replay(SYSTEM)
    with opened(filled) as archive:
        assert archive.catalog.lookup(uid(2, 1)) is not None
        archive.recovery.replay(SYSTEM)
        assert await answers(archive) == before
        assert study_uid(3) in {entry.study_uid for entry in archive.trash.entries(SYSTEM)}
