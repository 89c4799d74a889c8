"""What leaves the archive: as stored or converted value by value, journalled before its first byte."""

from __future__ import annotations

import os
from io import BytesIO

import pytest
from archives import opened
from objects import data_set, encoded, image, store, store_one, study_uid, uid, whole_study
from pynetdicom.dsutils import decode

from leadglass.app.archive import Archive
from leadglass.app.home import Home
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind
from leadglass.core.ports import OutgoingDataSet
from leadglass.core.principal import Principal, PrincipalKind, Right
from leadglass.core.query import Level, Selection
from leadglass.core.records import StoredInstance
from leadglass.dicom.uids import DEFLATED_EXPLICIT_VR_LE, EXPLICIT_VR_BE, EXPLICIT_VR_LE, IMPLICIT_VR_LE
from leadglass.journal.reader import read_journal

JPEG = "1.2.840.10008.1.2.4.50"
STATION = Principal(PrincipalKind.DEVICE, "ws", frozenset({Right.RETRIEVE}), "10.0.0.9", "WS")


async def only(archive: Archive, selection: Selection) -> StoredInstance:
    (stored,) = await archive.retrieve.select(STATION, selection)
    return stored


async def fetched(archive: Archive, stored: StoredInstance, *accepted: str) -> tuple[str, bytes]:
    """The syntax it left in, and its bytes."""
    outgoing = await opening(archive, stored, *accepted)
    return outgoing.transfer_syntax_uid, b"".join([piece async for piece in outgoing.chunks()])


async def opening(archive: Archive, stored: StoredInstance, *accepted: str) -> OutgoingDataSet:
    item = await archive.retrieve.source(STATION).open_all([stored], lambda _: accepted).next()
    assert item is not None
    assert item.stored == stored
    if isinstance(item.outgoing, LeadglassError):
        raise item.outgoing
    return item.outgoing


@pytest.mark.parametrize("size", [10, 65_536, 3_000_000])
async def test_as_stored_when_the_receiver_takes_it(archive: Archive, size: int) -> None:
    data = await store_one(archive, size=size)
    stored = await only(archive, image(1, 1))
    assert await fetched(archive, stored, IMPLICIT_VR_LE, EXPLICIT_VR_LE) == (EXPLICIT_VR_LE, data)


@pytest.mark.parametrize("target", [IMPLICIT_VR_LE, EXPLICIT_VR_BE])
async def test_converted_when_it_does_not(archive: Archive, target: str) -> None:
    made = data_set(BitsAllocated=8, size=70_000)
    made["PixelData"].VR = "OB"  # bytes, the same in either order
    await store(archive, encoded(made), uid(1, 1))
    syntax, data = await fetched(archive, await only(archive, image(1, 1)), target)
    assert syntax == target
    back = decode(BytesIO(data), target == IMPLICIT_VR_LE, target != EXPLICIT_VR_BE)
    assert {element.tag: element.value for element in back} == {element.tag: element.value for element in made}


async def test_plain_comes_before_deflated_whatever_the_order(archive: Archive) -> None:
    await store(archive, encoded(data_set(), EXPLICIT_VR_BE), uid(1, 1), syntax=EXPLICIT_VR_BE)
    syntax, _ = await fetched(archive, await only(archive, image(1, 1)), DEFLATED_EXPLICIT_VR_LE, IMPLICIT_VR_LE)
    assert syntax == IMPLICIT_VR_LE


@pytest.mark.parametrize("accepted", [(), (JPEG,)])
async def test_no_syntax_that_fits_is_said_before_anything_leaves(archive: Archive, accepted: tuple[str, ...]) -> None:
    await store_one(archive)
    with pytest.raises(LeadglassError) as refused:
        await fetched(archive, await only(archive, image(1, 1)), *accepted)
    assert refused.value.code is ErrorCode.CANNOT_CONVERT


async def test_a_selection_at_every_level_in_order(archive: Archive) -> None:
    for number in (3, 1, 2):
        await store_one(archive, 1, number)
    await store_one(archive, 2)
    series = Selection(Level.SERIES, study_uids=(study_uid(1),), series_uids=(f"{study_uid(1)}.1000",))
    for selection in (whole_study(1), series, Selection(Level.PATIENT, patient_id="P1")):
        found = await archive.retrieve.select(STATION, selection)
        assert [item.identity.sop_instance_uid for item in found] == [uid(1, 1), uid(1, 2), uid(1, 3)]
    assert await archive.retrieve.select(STATION, whole_study(9)) == []


async def test_reading_is_journalled_before_the_first_byte(home: Home) -> None:
    with opened(home) as archive:
        await store_one(archive)
        stored = await only(archive, image(1, 1))
        await opening(archive, stored, EXPLICIT_VR_LE)  # not one piece is taken
        entries = [entry.event for entry in read_journal(home.journal, archive.keys.journal)]
    accessed = [event for event in entries if event.kind is EventKind.INSTANCES_ACCESSED]
    assert accessed
    assert {(event.principal, event.address) for event in accessed} == {("ws", "10.0.0.9")}


async def test_nothing_leaves_that_cannot_be_journalled(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    await store_one(archive)
    stored = await only(archive, image(1, 1))

    def unwritable(*_: object, **__: object) -> None:
        raise LeadglassError(ErrorCode.UNAVAILABLE, "The journal cannot be written.")

    monkeypatch.setattr(archive.journal, "record", unwritable)
    with pytest.raises(LeadglassError) as refused:
        await fetched(archive, stored, EXPLICIT_VR_LE)
    assert refused.value.code is ErrorCode.UNAVAILABLE


@pytest.mark.parametrize("target", [EXPLICIT_VR_LE, IMPLICIT_VR_LE])
async def test_damage_at_rest_is_said_before_the_first_byte(home: Home, target: str) -> None:
    with opened(home) as archive:
        await store_one(archive, size=20_000)
        stored = await only(archive, image(1, 1))
        segment = next(home.vault.rglob(stored.location.segment))
        with os.fdopen(os.open(segment, os.O_RDWR), "r+b") as file:
            file.seek(stored.location.offset + 700)
            file.write(b"\0" * 64)
        with pytest.raises(LeadglassError) as refused:
            await opening(archive, stored, target)
        assert refused.value.code is ErrorCode.DAMAGED


async def test_only_who_may_retrieve_gets_a_source(archive: Archive) -> None:
    finder = Principal(PrincipalKind.DEVICE, "ct", frozenset({Right.STORE, Right.FIND}))
    for use in (lambda: archive.retrieve.source(finder), lambda: archive.retrieve.select(finder, whole_study(1))):
        with pytest.raises(LeadglassError) as refused:
            use()
        assert refused.value.code is ErrorCode.NOT_AUTHORISED
