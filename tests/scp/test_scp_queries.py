"""Queries over the wire: hostile keys (B5), one PatientID twice (B6), limits that are told, and C-CANCEL."""

import contextlib
from dataclasses import replace

import pytest

from leadglass.core.attributes import Attribute
from leadglass.dicom import uids
from leadglass.dicom.values import read_attributes
from leadglass.net.requestor import dial
from leadglass.wire.ul.pdu import ExtendedNegotiation

STUDY, SERIES, INSTANCE, NAME, PATIENT_ID = 0x0020000D, 0x0020000E, 0x00080018, 0x00100010, 0x00100020
DATE = 0x00080020


def key(tag, vr, *values):
    return {tag: Attribute(vr, values)}


@pytest.mark.parametrize("text", ["%", "_", "'", '"', "'; DROP TABLE study; --", "a\0b", "?" * 64, "[a-z]", "%" * 64])
async def test_b5_characters_of_other_languages_match_themselves_only(door, text):
    async with door.caller() as caller:
        await caller.stored(door.Image(patient_id="PLAIN"))
        found = await caller.matches("STUDY", key(PATIENT_ID, "LO", text) | key(STUDY, "UI"))
        assert found == []


async def test_b5_ten_thousand_stars_end_soon(door):
    async with door.caller() as caller:
        answers = await caller.ask("STUDY", key(NAME, "PN", "*a" * 5_000) | key(STUDY, "UI"))
        assert answers[-1].status in (0, 0xA900)
        await caller.still_works()


async def test_b5_a_list_of_many_uids(door):
    image = door.Image()
    async with door.caller() as caller:
        await caller.stored(image)
        many = [f"1.2.840.99999.{number}" for number in range(2_000)]
        found = await caller.matches("STUDY", key(STUDY, "UI", *many, image.study))
        assert [match[STUDY].values for match in found] == [(image.study,)]


@pytest.mark.parametrize("date", ["20261231-20260101", "-", "2026-2025", "notadate", "99999999"])
async def test_b5_dates_that_make_no_sense_end_in_good_order(door, date):
    async with door.caller() as caller:
        answers = await caller.ask("STUDY", key(DATE, "DA", date) | key(STUDY, "UI"))
        assert answers[-1].status in (0, 0xA900)
        await caller.still_works()


async def test_b6_two_patients_with_one_patient_id(door):
    first, second = door.Image(patient_id="SAME", name="First^One"), door.Image(patient_id="SAME", name="Second^Two")
    async with door.caller() as caller:
        await caller.stored(first, second)
        found = await caller.matches("STUDY", key(PATIENT_ID, "LO", "SAME") | key(STUDY, "UI") | key(NAME, "PN"))
        assert {match[STUDY].values[0] for match in found} == {first.study, second.study}


async def test_b6_one_instance_uid_with_two_contents_is_one_instance(door):
    first = door.Image()
    second = door.Image(uid=first.uid, study=first.study, series=first.series, pixels=b"\7\7" * 64)
    async with door.caller() as caller:
        await caller.stored(first, second)
        assert len(await caller.matches("IMAGE", key(INSTANCE, "UI", first.uid))) == 1


async def test_b5_a_query_beyond_the_limit_says_so(door):
    images = [door.Image(patient_id="MANY") for _ in range(5)]
    async with door.caller("NARROW") as caller:
        await caller.stored(*images)
        answers = await caller.ask("STUDY", key(PATIENT_ID, "LO", "MANY") | key(STUDY, "UI"))
        assert [answer.status for answer in answers] == [0xFF00] * 3 + [0xA700]
        comment = answers[-1].command.error_comment
        assert comment and len(comment) <= 64
        await caller.matches("STUDY", key(STUDY, "UI", images[0].study))
    async with door.caller() as caller:
        assert len(await caller.matches("STUDY", key(PATIENT_ID, "LO", "MANY") | key(STUDY, "UI"))) == 5


async def test_a_query_at_its_limit_is_whole(door):
    async with door.caller("NARROW") as caller:
        await caller.stored(*[door.Image(patient_id="THREE") for _ in range(3)])
        assert len(await caller.matches("STUDY", key(PATIENT_ID, "LO", "THREE") | key(STUDY, "UI"))) == 3


@pytest.mark.parametrize("level", ["PATIENT", "", "FRAME"])
async def test_a_level_that_the_model_has_not(door, level):
    async with door.caller() as caller:
        answer = (await caller.ask(level, key(STUDY, "UI")))[-1]
        assert (answer.status, tuple(answer.command.offending_elements)) == (0xA900, (0x00080052,))
        assert 0 < len(answer.command.error_comment) <= 64
        await caller.still_works()


async def test_an_identifier_that_is_cut_short(door):
    async with door.caller() as caller:
        whole = door.identifier("STUDY", key(PATIENT_ID, "LO", "SOMEBODY"))
        context = caller.peer.context_for(uids.STUDY_ROOT_FIND)
        answers = [answer async for answer in caller.peer.find(context, whole[:-3])]
        assert [answer.status for answer in answers] == [0xC000]
        await caller.still_works()


async def test_c_cancel_stops_a_query_and_the_association_goes_on(door):
    async with door.caller() as caller:
        await caller.stored(
            *[door.Image(patient_id="CANCEL", study="1.2.3.77", series="1.2.3.77.1") for _ in range(120)]
        )
        context = caller.peer.context_for(uids.STUDY_ROOT_FIND)
        what = door.identifier("IMAGE", key(STUDY, "UI", "1.2.3.77") | key(INSTANCE, "UI"))
        statuses = []
        async with contextlib.aclosing(caller.peer.find(context, what)) as answers:
            async for answer in answers:
                if not statuses:
                    caller.peer.cancel()
                statuses.append(answer.status)
        assert statuses[-1] in (0xFE00, 0x0000)  # all may have been under way when the cancel came
        assert set(statuses[:-1]) == {0xFF00}
        assert statuses[-1] == 0xFE00 or len(statuses) == 121
        await caller.still_works()


async def test_answers_say_where_to_retrieve(door):
    image = door.Image()
    async with door.caller() as caller:
        await caller.stored(image)
        answer = (await caller.ask("STUDY", key(STUDY, "UI", image.study) | key(NAME, "PN")))[0]
        read = read_attributes(answer.data, uids.EXPLICIT_VR_LE)
        assert read[0x00080054].values == ("LEADGLASS",)
        assert read[NAME].values == ("Doe^Jane",)


@pytest.mark.parametrize(("asked", "found"), [(b"", 0), (b"\1", 0), (b"\1\1", 1)])
async def test_a_combined_date_time_range_as_it_was_negotiated(door, asked, found):
    """From 10 o'clock of the one day to 9 o'clock of the next holds 08:00 of the next only as one range."""
    day, time = door.el(DATE, "DA", b"20240302"), door.el(0x00080030, "TM", b"0800")
    image = door.Image(patient_id=f"RANGE{len(asked)}")
    async with door.caller() as caller:
        assert (await caller.store(image, day + time + image.data())).status == 0
    request = door.request()
    if asked:
        extended = (ExtendedNegotiation(uids.STUDY_ROOT_FIND, asked),)
        request = replace(request, user=replace(request.user, extended=extended))
    peer = await dial("127.0.0.1", door.server.port, request)
    keys = key(DATE, "DA", "20240301-20240302") | key(0x00080030, "TM", "1000-0900") | key(STUDY, "UI", image.study)
    assert len(await door.Caller(peer).matches("STUDY", keys)) == found
    await peer.release()
