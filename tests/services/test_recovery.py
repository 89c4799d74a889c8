"""After a stop without farewell nothing that was acknowledged is missing, and a rebuilt catalog answers as before."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from archives import opened
from objects import data_set, encoded, read_back, store, store_one, study_uid, uid, whole_study

from leadglass.app.archive import Archive
from leadglass.app.home import Home
from leadglass.core.attributes import Attribute, AttributeSet
from leadglass.core.ports import AddOutcome
from leadglass.core.principal import SYSTEM
from leadglass.core.query import FindPage, Level, Query
from leadglass.core.records import InstanceEntry, ReplayMark
from leadglass.services import recovery

SPECIFIC, DATE, MODALITIES, NAME, PATIENT_ID = 0x00080005, 0x00080020, 0x00080061, 0x00100010, 0x00100020
STUDY, SERIES, INSTANCE, NUMBER = 0x0020000D, 0x0020000E, 0x00080018, 0x00200013
SERIES_COUNT, INSTANCE_COUNT = 0x00201206, 0x00201208


def query(level: Level, **values: str) -> Query:
    keys: dict[int, Attribute] = {
        **{tag: Attribute("UI") for tag in (STUDY, SERIES, INSTANCE)},
        DATE: Attribute("DA"),
        NAME: Attribute("PN"),
        PATIENT_ID: Attribute("LO"),
        **{tag: Attribute("IS") for tag in (NUMBER, SERIES_COUNT, INSTANCE_COUNT)},
        MODALITIES: Attribute("CS"),
    }
    if level is not Level.IMAGE:
        del keys[INSTANCE], keys[NUMBER]
    for name, value in values.items():
        tag = {"name": NAME, "patient": PATIENT_ID, "date": DATE, "modality": MODALITIES, "study": STUDY}[name]
        keys[tag] = Attribute(keys[tag].vr, tuple(value.split("\\")))
    return Query(level, dict(sorted(keys.items())))


QUERIES = [
    query(Level.PATIENT),
    query(Level.STUDY),
    query(Level.STUDY, name="rossi*"),
    query(Level.STUDY, name="MULLER^J?RG"),
    query(Level.STUDY, patient="P2"),
    query(Level.STUDY, date="20240201-20240331"),
    query(Level.STUDY, modality="MR"),
    query(Level.STUDY, study=f"{study_uid(1)}\\{study_uid(4)}"),
    query(Level.SERIES, study=study_uid(1)),
    query(Level.IMAGE, study=study_uid(1)),
    query(Level.IMAGE, name="山田*"),
]


async def answers(archive: Archive) -> list[list[AttributeSet]]:
    pages: list[FindPage] = [await archive.find.find(SYSTEM, item) for item in QUERIES]
    return [page.matches for page in pages]


async def fill(archive: Archive) -> None:
    for number in range(1, 6):
        await store_one(archive, 1, number)
    await store_one(archive, 2, PatientName="Müller^Jörg", Modality="MR")
    await store_one(archive, 3, SpecificCharacterSet="ISO_IR 192", PatientName="Yamada^Tarou=山田^太郎")
    await store_one(archive, 4, SeriesInstanceUID=f"{study_uid(4)}.7")
    await store(archive, encoded(data_set(1, 1, PatientName="Later^Version")), uid(1, 1))
    await store_one(archive, 5)
    archive.trash.delete(SYSTEM, whole_study(5), "test")


def lose_catalog(home: Home) -> None:
    for name in home.catalog.parent.glob("catalog.db*"):
        name.unlink()


async def test_reindex_gives_the_answers_of_before(home: Home) -> None:
    with opened(home) as archive:
        await fill(archive)
        before = await answers(archive)
        assert all(before)
        served = read_back(archive, archive.catalog.select(whole_study(1))[0])
        numbers = archive.maintenance.statistics(SYSTEM)
    with opened(home) as archive:
        report = archive.recovery.reindex(SYSTEM)
        assert (report.added, report.damage) == (10, [])
        assert await answers(archive) == before
        assert read_back(archive, archive.catalog.select(whole_study(1))[0]) == served
        assert len(archive.catalog.versions(uid(1, 1))) == 2
        assert archive.maintenance.statistics(SYSTEM) == numbers


async def test_replay_into_a_lost_catalog_gives_the_answers_of_before(home: Home) -> None:
    with opened(home) as archive:
        await fill(archive)
        before = await answers(archive)
    lose_catalog(home)
    with opened(home) as archive:
        archive.recovery.replay(SYSTEM)
        assert await answers(archive) == before


async def test_replay_after_a_clean_stop_adds_nothing(home: Home) -> None:
    with opened(home) as archive:
        await fill(archive)
    for _ in range(2):
        with opened(home) as archive:
            report = archive.recovery.replay(SYSTEM)
            assert (report.added, report.damage) == (0, [])


async def test_a_stored_object_survives_replay_twice_without_a_second_version(home: Home) -> None:
    with opened(home) as archive:
        await store_one(archive)
    lose_catalog(home)
    for _ in range(2):
        with opened(home) as archive:
            archive.recovery.replay(SYSTEM)
            assert len(archive.catalog.versions(uid(1, 1))) == 1


CHILD = """
import asyncio, os, signal, sys
sys.path[:0] = sys.argv[2:]
from pathlib import Path
from archives import opened
from objects import store_one
from leadglass.app.home import Home

async def main():
    with opened(Home(Path(sys.argv[1]))) as archive:
        for number in range(1, 21):
            await store_one(archive, number % 3, number)
            print(number, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def killed_after_stores(home: Home) -> set[str]:
    """Store in a process of its own that then dies; what it was told is stored."""
    support = Path(__file__).parents[1] / "support"
    arguments = [sys.executable, "-c", CHILD, str(home.root), str(support), str(support.parents[1])]
    ended = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr[-2_000:]
    return {uid(int(line) % 3, int(line)) for line in ended.stdout.split()}


@pytest.mark.parametrize("catalog_lost", [False, True])
async def test_replay_after_kill_brings_back_every_acknowledged_instance(home: Home, catalog_lost: bool) -> None:
    acknowledged = killed_after_stores(home)
    assert len(acknowledged) == 20
    if catalog_lost:
        lose_catalog(home)
    with opened(home) as archive:
        report = archive.recovery.replay(SYSTEM)
        assert report.damage == []
        assert report.added == (20 if catalog_lost else 0)
        for name in acknowledged:
            stored = archive.catalog.lookup(name)
            assert stored is not None
            number = int(name.rsplit(".", 1)[1])
            assert read_back(archive, stored) == encoded(data_set(number % 3, number))
        assert archive.maintenance.check(SYSTEM, read_data=True).problems == []
        await store_one(archive, 8)  # and it goes on


async def test_replay_leaves_out_a_stretch_of_damage_and_says_so(home: Home) -> None:
    with opened(home) as archive:
        for number in (1, 2, 3):
            await store_one(archive, 1, number, size=100_000)
        location = archive.catalog.select(whole_study(1))[1].location
        segment = next(home.vault.rglob(location.segment))
    with os.fdopen(os.open(segment, os.O_RDWR), "r+b") as file:
        file.seek(location.offset + 500)
        file.write(b"\0" * 1_000)
    lose_catalog(home)
    with opened(home) as archive:
        archive.recovery.replay(SYSTEM)
        problems = archive.maintenance.check(SYSTEM, read_data=True).problems
        assert problems
        assert all(uid(1, 2) not in problem and "Rossi" not in problem for problem in problems)
        for number in (1, 3):
            stored = archive.catalog.lookup(uid(1, number))
            assert stored is not None
            assert read_back(archive, stored) == encoded(data_set(1, number, size=100_000))


async def test_stores_go_on_while_a_command_reindexes_elsewhere(home: Home) -> None:
    """A command opens the archive beside the server: what the server stores meanwhile is not lost to the catalog."""
    with opened(home) as server:
        await store_one(server, 1)
        with opened(home) as command:
            storing = asyncio.gather(*(store_one(server, 2, number) for number in range(1, 11)))
            await asyncio.to_thread(command.recovery.replay, SYSTEM)
            await storing
            assert len(command.catalog.select(whole_study(2))) == 10


async def versions_over_restarts(home: Home) -> list[bytes]:
    """Five objects, each in a segment of another start, and with a later version in the starts behind it."""
    for start in range(5):
        with opened(home) as archive:
            for number in range(start + 1):
                changed = data_set(1, number, PatientName=f"Rossi^Version{start}", SeriesDescription=f"{start}")
                await store(archive, encoded(changed), uid(1, number))
    with opened(home) as archive:
        served = [archive.catalog.lookup(uid(1, number)) for number in range(5)]
        return [stored.digest for stored in served if stored is not None]


async def test_a_lost_catalog_serves_the_versions_of_before(home: Home) -> None:
    """Names of segments are random: replay goes by time of receipt."""
    served = await versions_over_restarts(home)
    lose_catalog(home)
    with opened(home) as archive:
        archive.recovery.replay(SYSTEM)
        lookups = [archive.catalog.lookup(uid(1, number)) for number in range(5)]
        assert [stored.digest for stored in lookups if stored is not None] == served
        assert len(archive.maintenance.conflicts(SYSTEM)) == 10


async def test_an_interrupted_reindex_is_finished_by_the_next_start(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = await versions_over_restarts(home)
    with opened(home) as archive:
        before = await answers(archive)
        add, batches = archive.catalog.add, itertools.count()

        def dies(entries: Sequence[InstanceEntry], marks: Sequence[ReplayMark]) -> list[AddOutcome]:
            if next(batches) == 2:
                raise KeyboardInterrupt
            return add(entries, marks)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(recovery, "BATCH", 2)
            patch.setattr(archive.catalog, "add", dies)
            archive.recovery.reindex(SYSTEM)
    with opened(home) as archive:
        archive.recovery.replay(SYSTEM)
        lookups = [archive.catalog.lookup(uid(1, number)) for number in range(5)]
        assert [stored.digest for stored in lookups if stored is not None] == served
        assert await answers(archive) == before


@pytest.mark.parametrize("restart", [True, False])
async def test_a_clock_that_is_set_back_changes_no_answer(
    home: Home, monkeypatch: pytest.MonkeyPatch, restart: bool
) -> None:
    """What came first stays what is served, and what defines its study, however the clock jumped meanwhile."""
    moment = [time.time_ns()]
    monkeypatch.setattr(time, "time_ns", lambda: moment[0])
    with contextlib.ExitStack() as stack:
        archive = stack.enter_context(opened(home))
        await store_one(archive, 1, 1)
        first = archive.catalog.lookup(uid(1, 1))
        moment[0] -= 3600 * 10**9
        if restart:
            stack.close()
            archive = stack.enter_context(opened(home))
            archive.recovery.replay(SYSTEM)
        await store_one(archive, 1, 2, PatientName="Rossi^Second")
        await store_one(archive, 1, 1, PatientName="Rossi^Second")
        before = await answers(archive)
    with opened(home) as archive:
        archive.recovery.reindex(SYSTEM)
        assert archive.catalog.lookup(uid(1, 1)) == first
        assert await answers(archive) == before
        (received,) = [item["received_at"] for item in archive.maintenance.conflicts(SYSTEM)]
        assert received == moment[0]  # the record tells the time as it was told
