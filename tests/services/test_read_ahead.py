"""Instances are opened ahead of who sends them: in order, errors in place, never more than the bound in memory."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable

import pytest
from archives import opened
from objects import store_one, uid, whole_study

from leadglass.app.archive import Archive
from leadglass.app.home import Home
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import READ_AHEAD
from leadglass.core.ports import OpenedInstance, OutgoingDataSet
from leadglass.core.principal import SYSTEM
from leadglass.core.records import StoredInstance
from leadglass.dicom.uids import EXPLICIT_VR_LE
from leadglass.services import read_ahead
from leadglass.services.read_ahead import ReadAhead

PATIENCE = 20.0


async def study_of(archive: Archive, sizes: Iterable[int]) -> tuple[list[StoredInstance], list[bytes]]:
    data = [await store_one(archive, 1, number, size=size) for number, size in enumerate(sizes, 1)]
    return await archive.retrieve.select(SYSTEM, whole_study(1)), data


def ahead_of(archive: Archive, instances: list[StoredInstance]) -> ReadAhead:
    return archive.retrieve.source(SYSTEM).open_all(instances, lambda _: (EXPLICIT_VR_LE,))


async def whole(item: OpenedInstance) -> bytes:
    assert isinstance(item.outgoing, OutgoingDataSet)
    return b"".join([piece async for piece in item.outgoing.chunks()])


@pytest.mark.parametrize("sizes", [[100] * 150, [700_000] * 7, [5_000_000, 10, 5_000_000], [READ_AHEAD - 400] * 3])
async def test_all_come_in_order_and_whole(archive: Archive, sizes: list[int]) -> None:
    instances, data = await study_of(archive, sizes)
    ahead = ahead_of(archive, instances)
    items = [item for _ in instances if (item := await ahead.next()) is not None]
    assert [item.stored for item in items] == instances
    assert [await whole(item) for item in items] == data
    assert await ahead.next() is None
    assert ahead.ready() is None


async def test_the_next_is_opened_while_the_first_is_being_sent(archive: Archive) -> None:
    instances, data = await study_of(archive, [1000, 1000])
    ahead = ahead_of(archive, instances)
    assert await ahead.next() is not None
    async with asyncio.timeout(PATIENCE):
        while (item := ahead.ready()) is None:
            await asyncio.sleep(0.01)
    assert await whole(item) == data[1]


async def test_one_that_is_damaged_is_an_error_in_its_place(home: Home) -> None:
    with opened(home) as archive:
        instances, data = await study_of(archive, [20_000] * 4)
        location = instances[2].location
        with os.fdopen(os.open(next(home.vault.rglob(location.segment)), os.O_RDWR), "r+b") as file:
            file.seek(location.offset + 700)
            file.write(b"\0" * 64)
        ahead = ahead_of(archive, instances)
        items = [item for _ in instances if (item := await ahead.next()) is not None]
        outcomes = [item.outgoing.code if isinstance(item.outgoing, LeadglassError) else None for item in items]
        assert outcomes == [None, None, ErrorCode.DAMAGED, None]
        assert await whole(items[3]) == data[3]


async def test_no_more_is_opened_than_what_is_sent_and_the_next_batch(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    instances, _ = await study_of(archive, [READ_AHEAD // 3] * 12)
    vault, asked = archive.vault.open, []
    monkeypatch.setattr(archive.vault, "open", lambda *where, **how: asked.append(where) or vault(*where, **how))
    ahead = ahead_of(archive, instances)
    for _ in range(4):
        assert await ahead.next() is not None
    async with asyncio.timeout(PATIENCE):
        while ahead._reading is not None and not ahead._reading.done():
            await asyncio.sleep(0.01)
    given = 4
    assert sum(location.data_set_length for location, _ in asked[given:]) <= 2 * READ_AHEAD


async def test_only_what_is_taken_counts_as_read(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    instances, _ = await study_of(archive, [1000] * 5)
    counted = []
    source = archive.retrieve.source(SYSTEM)
    monkeypatch.setattr(source._accesses, "note", lambda *what: counted.append(what[-1]))
    ahead = source.open_all(instances, lambda _: (EXPLICIT_VR_LE,))
    for _ in range(2):
        await ahead.next()
    ahead.close()
    assert await ahead.next() is None
    assert sum(counted) == 2
    assert instances[0].identity.sop_instance_uid == uid(1, 1)
    assert read_ahead.INSTANCES_AT_ONCE > 4  # else this proved nothing: the others were opened as well
