"""What a store promises, and what becomes of resends and bad input."""

from __future__ import annotations

import asyncio

import pytest
from archives import opened
from blake3 import blake3
from objects import CT, data_set, encoded, image, read_back, store, store_one, uid, whole_study
from pydicom.dataset import Dataset

from leadglass.app.archive import Archive, open_archive
from leadglass.app.cli.opening import keys_of
from leadglass.app.config import read_config
from leadglass.app.home import Home
from leadglass.core.device import DuplicatePolicy
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MIB, SMALL_RECORD
from leadglass.core.principal import SYSTEM, Principal, PrincipalKind, Right
from leadglass.dicom.transcode import Transcoder
from leadglass.dicom.uids import DEFLATED_EXPLICIT_VR_LE, EXPLICIT_VR_BE, EXPLICIT_VR_LE, IMPLICIT_VR_LE
from leadglass.services import ingest
from leadglass.services.budget import BufferBudget
from leadglass.services.ingest import Announced, StoreOutcome

PALETTE = "1.2.840.10008.5.1.4.39.1"


def nothing_visible(archive: Archive) -> bool:
    counts = archive.catalog.statistics()
    return counts["instances"] == counts["versions"] == 0 and archive.catalog.lookup(uid(1, 1)) is None


async def test_what_was_stored_is_known_and_reads_back(archive: Archive) -> None:
    data = encoded(data_set())
    result = await store(archive, data, uid(1, 1))
    assert result.outcome is StoreOutcome.STORED
    stored = archive.catalog.lookup(uid(1, 1))
    assert stored is not None
    assert stored.identity == result.identity
    assert (stored.transfer_syntax_uid, stored.digest) == (EXPLICIT_VR_LE, blake3(data).digest())
    assert read_back(archive, stored) == data


async def test_the_record_says_who_sent_it(archive: Archive) -> None:
    sender = Principal(
        PrincipalKind.DEVICE, "ct", frozenset({Right.STORE}), "10.0.0.7", "CT1", institution="St. Elsewhere"
    )
    await store(archive, encoded(data_set()), uid(1, 1), principal=sender)
    (stored,) = archive.catalog.select(image(1, 1))
    reader = archive.vault.open(stored.location, stored.identity)
    trailer = reader.trailer
    reader.close()
    assert (trailer.principal, trailer.address, trailer.ae_title) == ("ct", "10.0.0.7", "CT1")
    assert trailer.institution == "St. Elsewhere"


async def test_what_was_answered_survives_a_catalog_that_is_lost(home: Home) -> None:
    with opened(home) as archive:
        data = await store_one(archive)
    for name in home.catalog.parent.glob("catalog.db*"):
        name.unlink()
    with opened(home) as archive:
        archive.recovery.replay(SYSTEM)
        (stored,) = archive.catalog.select(image(1, 1))
        assert read_back(archive, stored) == data


@pytest.mark.parametrize("size", [SMALL_RECORD - 5_000, SMALL_RECORD + 5_000, 3 * SMALL_RECORD])
async def test_large_instances_are_spilled_and_read_back(archive: Archive, size: int) -> None:
    data = await store_one(archive, size=size)
    (stored,) = archive.catalog.select(image(1, 1))
    assert blake3(read_back(archive, stored)).digest() == blake3(data).digest()


@pytest.mark.parametrize("syntax", [IMPLICIT_VR_LE, EXPLICIT_VR_BE])
async def test_every_native_syntax_is_kept_as_received(archive: Archive, syntax: str) -> None:
    data = encoded(data_set(), syntax)
    await store(archive, data, uid(1, 1), syntax=syntax)
    (stored,) = archive.catalog.select(image(1, 1))
    assert stored.transfer_syntax_uid == syntax
    assert read_back(archive, stored) == data


async def test_many_at_once_of_one_new_study_are_all_stored(archive: Archive) -> None:
    sent = {uid(1, number): encoded(data_set(1, number)) for number in range(1, 41)}
    await asyncio.gather(*(store(archive, data, name) for name, data in sent.items()))
    found = {item.identity.sop_instance_uid: item for item in archive.catalog.select(whole_study(1))}
    assert found.keys() == sent.keys()
    assert all(read_back(archive, found[name]) == data for name, data in sent.items())
    assert len({item.key_id for item in found.values()}) == 1  # one study, one key


async def test_an_object_without_patient_needs_no_study(archive: Archive) -> None:
    palette = Dataset()
    palette.SOPClassUID, palette.SOPInstanceUID = PALETTE, uid(9, 9)
    palette.ContentLabel = "HOT"
    result = await store(archive, encoded(palette), uid(9, 9), sop_class_uid=PALETTE)
    assert result.outcome is StoreOutcome.STORED
    assert result.identity.study_uid == ""
    stored = archive.catalog.lookup(uid(9, 9))
    assert stored is not None
    assert read_back(archive, stored) == encoded(palette)


# --- the same SOP Instance UID again -----------------------------------------------------------------------------


async def test_the_same_bytes_again_are_there_already(archive: Archive) -> None:
    data = await store_one(archive)
    again = await store(archive, data, uid(1, 1))
    assert again.outcome is StoreOutcome.ALREADY_THERE
    assert len(archive.catalog.versions(uid(1, 1))) == 1


@pytest.mark.parametrize("syntax", [IMPLICIT_VR_LE, EXPLICIT_VR_BE, DEFLATED_EXPLICIT_VR_LE])
@pytest.mark.parametrize("turned", [False, True])
async def test_the_same_values_in_another_syntax_are_there_already(archive: Archive, syntax: str, turned: bool) -> None:
    plain = encoded(data_set(BitsAllocated=16, Rows=32, Columns=31))
    transcoder = Transcoder(EXPLICIT_VR_LE, syntax)
    other = b"".join([*transcoder.feed(plain), *transcoder.finish()])
    forms = [(plain, EXPLICIT_VR_LE), (other, syntax)]
    first, second = reversed(forms) if turned else forms
    await store(archive, first[0], uid(1, 1), syntax=first[1])
    again = await store(archive, second[0], uid(1, 1), syntax=second[1])
    assert again.outcome is StoreOutcome.ALREADY_THERE
    (only,) = archive.catalog.versions(uid(1, 1))
    assert read_back(archive, only) == first[0]


async def test_other_values_become_a_version_that_is_kept_and_not_served(archive: Archive) -> None:
    first = await store_one(archive)
    second = encoded(data_set(PatientName="Rossi^Anna Maria"))
    result = await store(archive, second, uid(1, 1))
    assert result.outcome is StoreOutcome.VERSION
    versions = archive.catalog.versions(uid(1, 1))
    assert [read_back(archive, item) for item in versions] == [first, second]
    (served,) = archive.catalog.select(image(1, 1))
    assert read_back(archive, served) == first
    assert archive.maintenance.conflicts(SYSTEM)


async def test_other_pixels_become_a_version(archive: Archive) -> None:
    await store_one(archive)
    made = data_set()
    made.PixelData = made.PixelData[:-2] + b"\1\2"
    assert (await store(archive, encoded(made), uid(1, 1))).outcome is StoreOutcome.VERSION


async def test_a_device_may_refuse_other_values(archive: Archive) -> None:
    first = await store_one(archive)
    with pytest.raises(LeadglassError) as refused:
        await store(archive, encoded(data_set(PatientName="Other")), uid(1, 1), duplicates=DuplicatePolicy.REFUSE)
    assert refused.value.code is ErrorCode.DUPLICATE_REFUSED
    assert refused.value.tags == (0x00080018,)
    (only,) = archive.catalog.versions(uid(1, 1))
    assert read_back(archive, only) == first
    again = await store(archive, first, uid(1, 1), duplicates=DuplicatePolicy.REFUSE)
    assert again.outcome is StoreOutcome.ALREADY_THERE


@pytest.mark.parametrize(("bound", "fits"), [("MAX_UNREAD_VERSIONS", 2), ("MAX_UNREAD_VERSION_BYTES", 5_000)])
async def test_versions_that_nobody_looked_at_have_a_quota(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, bound: str, fits: int
) -> None:
    monkeypatch.setattr(ingest, bound, fits)
    data = await store_one(archive)
    for number in range(2):
        await store(archive, encoded(data_set(PatientName=f"Other^{number}")), uid(1, 1))
    with pytest.raises(LeadglassError) as refused:
        await store(archive, encoded(data_set(PatientName="Other^Again")), uid(1, 1))
    assert refused.value.code is ErrorCode.OUT_OF_RESOURCES
    assert (await store(archive, data, uid(1, 1))).outcome is StoreOutcome.ALREADY_THERE
    assert (await store(archive, encoded(data_set(1, 2)), uid(1, 2))).outcome is StoreOutcome.STORED
    assert archive.maintenance.statistics(SYSTEM)["versions"] == 2


async def test_two_senders_of_one_uid_at_once_lose_nothing(archive: Archive) -> None:
    one, other = encoded(data_set()), encoded(data_set(PatientName="Other"))
    results = await asyncio.gather(store(archive, one, uid(1, 1)), store(archive, other, uid(1, 1)))
    assert {result.outcome for result in results} == {StoreOutcome.STORED, StoreOutcome.VERSION}
    assert {read_back(archive, item) for item in archive.catalog.versions(uid(1, 1))} == {one, other}


# --- bad input ---------------------------------------------------------------------------------------------------

BAD = {
    "class-other-than-announced": (data_set(SOPClassUID="1.2.840.10008.5.1.4.1.1.4"), ErrorCode.IDENTITY_MISMATCH),
    "class-absent": (data_set(SOPClassUID=None), ErrorCode.IDENTITY_MISMATCH),
    "instance-other-than-announced": (data_set(SOPInstanceUID="1.2.3"), ErrorCode.IDENTITY_MISMATCH),
    "instance-absent": (data_set(SOPInstanceUID=None), ErrorCode.IDENTITY_MISMATCH),
    "no-study": (data_set(StudyInstanceUID=None), ErrorCode.MISSING_UID),
    "no-series": (data_set(SeriesInstanceUID=None), ErrorCode.MISSING_UID),
}


@pytest.mark.parametrize("case", BAD)
async def test_bad_identifiers_are_refused_and_leave_nothing(archive: Archive, case: str) -> None:
    made, code = BAD[case]
    with pytest.raises(LeadglassError) as refused:
        await store(archive, encoded(made), uid(1, 1))
    assert refused.value.code is code
    assert refused.value.tags
    assert nothing_visible(archive)
    await store_one(archive)  # and the archive goes on


@pytest.mark.parametrize("bad", ["1.2.3/4", "1.2.x", "1." + "2" * 63])
@pytest.mark.filterwarnings("ignore::UserWarning")
async def test_a_uid_of_other_characters_or_too_long_is_refused(archive: Archive, bad: str) -> None:
    made = encoded(_with_raw_uid(bad))
    with pytest.raises(LeadglassError) as refused:
        await store(archive, made, bad)
    assert refused.value.code is ErrorCode.INVALID_UID
    assert refused.value.tags == (0x00080018,)
    assert archive.catalog.lookup(bad) is None


def _with_raw_uid(text: str) -> Dataset:
    made = data_set()
    made["SOPInstanceUID"]._value = text
    return made


async def test_leading_zeros_in_a_uid_are_kept(archive: Archive) -> None:
    odd = "1.2.003.4"
    result = await store(archive, encoded(_with_raw_uid(odd)), odd)
    assert result.outcome is StoreOutcome.STORED
    assert archive.catalog.lookup(odd) is not None


@pytest.mark.parametrize("kept", [0, 1, 7, 100, 400, -1])
async def test_a_data_set_cut_short_is_refused(archive: Archive, kept: int) -> None:
    with pytest.raises(LeadglassError) as refused:
        await store(archive, encoded(data_set())[:kept], uid(1, 1))
    assert refused.value.code in {ErrorCode.UNPARSABLE, ErrorCode.IDENTITY_MISMATCH, ErrorCode.MISSING_UID}
    assert nothing_visible(archive)


async def test_garbage_is_refused(archive: Archive) -> None:
    for syntax in (EXPLICIT_VR_LE, IMPLICIT_VR_LE, EXPLICIT_VR_BE, DEFLATED_EXPLICIT_VR_LE):
        with pytest.raises(LeadglassError) as refused:
            await store(archive, b"\xff\xd8\xff\xe0JFIF" * 2_000, uid(1, 1), syntax=syntax)
        assert refused.value.code is ErrorCode.UNPARSABLE
    assert nothing_visible(archive)


async def test_an_error_says_nothing_of_the_patient(archive: Archive) -> None:
    made = data_set(StudyInstanceUID=None, PatientName="Geheim^Gerda", PatientID="SECRET-7")
    with pytest.raises(LeadglassError) as refused:
        await store(archive, encoded(made), uid(1, 1))
    assert not any(word in str(refused.value) for word in ("Geheim", "Gerda", "SECRET", uid(1, 1)))


async def test_who_may_not_store_does_not_begin(archive: Archive) -> None:
    finder = Principal(PrincipalKind.DEVICE, "ws", frozenset({Right.FIND}))
    with pytest.raises(LeadglassError) as refused:
        archive.ingest.begin(finder, Announced(CT, uid(1, 1), EXPLICIT_VR_LE))
    assert refused.value.code is ErrorCode.NOT_AUTHORISED


# --- memory ------------------------------------------------------------------------------------------------------


async def test_a_reception_gives_back_every_byte(home: Home) -> None:
    budget = BufferBudget()
    config = read_config(home.config)
    with open_archive(home, config, keys_of(home, config), budget=budget) as archive:
        await store_one(archive, size=SMALL_RECORD * 2)
        await store_one(archive)  # again, compared
        for data in (encoded(data_set(2))[:300], encoded(data_set(2, SeriesInstanceUID=None)), b"x" * 5_000):
            with pytest.raises(LeadglassError):
                await store(archive, data, uid(2, 1))
        left = archive.ingest.begin(SYSTEM, Announced(CT, uid(3, 1), EXPLICIT_VR_LE))
        left.feed(encoded(data_set(3))[:1_000])
        assert budget.used > 0
        left.abort()
    assert budget.used == 0


async def test_no_room_ends_in_out_of_resources_and_then_there_is_room(home: Home) -> None:
    budget = BufferBudget(MIB, wait=0.05)
    config = read_config(home.config)
    with open_archive(home, config, keys_of(home, config), budget=budget) as archive:
        holder = archive.ingest.begin(SYSTEM, Announced(CT, uid(1, 1), EXPLICIT_VR_LE))
        holder.feed(encoded(data_set(size=2 * MIB))[:-10])
        with pytest.raises(LeadglassError) as refused:
            await store_one(archive, 2, size=100_000)
        assert refused.value.code is ErrorCode.OUT_OF_RESOURCES
        holder.abort()
        await store_one(archive, 2, size=100_000)
        assert archive.catalog.lookup(uid(2, 1)) is not None
