"""Check finds what is bad, missing or unknown, goes on where it was stopped, and what was bad is mended by a resend."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from archives import opened
from objects import data_set, encoded, read_back, store, store_one, uid

from leadglass.app.archive import Archive
from leadglass.app.home import Home
from leadglass.core.errors import LeadglassError
from leadglass.core.principal import SYSTEM
from leadglass.core.records import StoredInstance
from leadglass.services import maintenance
from leadglass.services.ingest import StoreOutcome

SIZE = 200_000  # of a data set: its first chunks and its last are apart


def known(archive: Archive, number: int = 1) -> StoredInstance:
    stored = archive.catalog.lookup(uid(1, number))
    assert stored is not None
    return stored


def segment_of(home: Home, stored: StoredInstance) -> Path:
    return next(home.vault.rglob(stored.location.segment))


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def problems(archive: Archive) -> list[str]:
    return archive.maintenance.check(SYSTEM, read_data=True).problems


async def fill(home: Home, starts: int = 3, each: int = 2) -> None:
    numbers = itertools.count(1)
    for _ in range(starts):
        with opened(home) as archive:
            for number in itertools.islice(numbers, each):
                await store_one(archive, 1, number, size=SIZE)


@pytest.mark.parametrize("lost", ["segment", "records"])
async def test_what_was_deleted_from_the_medium_is_found(home: Home, lost: str) -> None:
    await fill(home)
    with opened(home) as archive:
        stored = known(archive, 3)
    path = segment_of(home, stored)
    if lost == "segment":
        path.unlink()
    else:
        with path.open("r+b") as file:
            file.truncate(stored.location.offset)
    with opened(home) as archive:
        found = problems(archive)
        assert [problem for problem in found if stored.location.segment in problem]
        with pytest.raises(LeadglassError):
            read_back(archive, stored)
        assert read_back(archive, known(archive, 1)) == encoded(data_set(1, 1, size=SIZE))


async def test_swapped_records_are_found(home: Home) -> None:
    await fill(home, starts=1)
    with opened(home) as archive:
        first, second = known(archive, 1), known(archive, 2)
    path, length = segment_of(home, first), second.location.offset - first.location.offset
    content = path.read_bytes()
    for one, other in ((first, second), (second, first)):
        start = one.location.offset
        overwrite(path, other.location.offset, content[start : start + length])
    with opened(home) as archive:
        assert len(problems(archive)) >= 2
        for stored in (first, second):
            with pytest.raises(LeadglassError):
                read_back(archive, stored)


async def test_a_record_that_the_catalog_lost_is_found(home: Home) -> None:
    await fill(home)
    with opened(home) as archive:
        assert problems(archive) == []
        lost = known(archive, 3).location
        archive.catalog._engine.writer.execute("DELETE FROM instances WHERE uid = ?", (uid(1, 3),))
        (problem,) = problems(archive)
        assert lost.segment in problem
        assert "catalog" in problem
        archive.recovery.reindex(SYSTEM)
        assert problems(archive) == []


async def test_a_check_goes_on_where_it_was_stopped(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found before the stop is told at the end too."""
    await fill(home, starts=6, each=1)
    monkeypatch.setattr(maintenance, "CHECKPOINT", 1)
    with opened(home) as archive:
        order = sorted((known(archive, number).location.segment, number) for number in range(1, 7))
        for place in (0, 5):
            stored = known(archive, order[place][1])
            overwrite(segment_of(home, stored), stored.location.offset + 200, b"\xff" * 64)
    reads = [0]
    with opened(home) as archive:
        check = archive.vault.check

        def counted(read_data: bool, from_position: str | None = None) -> Iterator[object]:
            for finding in check(read_data, from_position):
                reads[0] += 1
                if reads[0] == 4:
                    raise KeyboardInterrupt
                yield finding

        monkeypatch.setattr(archive.vault, "check", counted)
        with pytest.raises(KeyboardInterrupt):
            problems(archive)
    with opened(home) as archive:
        report = archive.maintenance.check(SYSTEM, read_data=True, resume=True)
        assert report.records == 4  # the good ones, those of the first part too
        assert len(report.problems) == 2
        assert reads[0] < 6
        assert (
            archive.maintenance.check(SYSTEM, read_data=True, resume=True).records == 4
        )  # nothing to go on with: anew


@pytest.mark.parametrize("where", [100, 200, SIZE - 100])
async def test_the_same_bytes_again_mend_what_is_damaged(home: Home, where: int) -> None:
    """The sender is told "stored": then it is."""
    await fill(home, starts=1)
    data = encoded(data_set(1, 1, size=SIZE))
    with opened(home) as archive:
        damaged = known(archive)
    overwrite(segment_of(home, damaged), damaged.location.offset + where, b"\xff" * 16)
    with opened(home) as archive:
        assert (await store(archive, data, uid(1, 1))).outcome is StoreOutcome.STORED
        assert read_back(archive, known(archive)) == data
        assert len(archive.catalog.versions(uid(1, 1))) == 1
        assert archive.maintenance.conflicts(SYSTEM) == []
        assert archive.maintenance.statistics(SYSTEM)["instances"] == 2
        assert (await store(archive, data, uid(1, 1))).outcome is StoreOutcome.ALREADY_THERE
    for begin in ("replay", "reindex"):
        with opened(home) as archive:
            getattr(archive.recovery, begin)(SYSTEM)
            assert read_back(archive, known(archive)) == data
            assert len(archive.catalog.versions(uid(1, 1))) == 1
            (problem,) = problems(archive)  # the bad one is still there, and told
            assert damaged.location.segment in problem
