"""What a principal of limited reach sees, stores and deletes: inside everything, outside as if nothing was there."""

from __future__ import annotations

import gzip
import json

import pytest
from objects import data_set, encoded, image, store, store_one, study_uid, uid, whole_study

from leadglass.app.archive import Archive
from leadglass.core.attributes import Attribute
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import SYSTEM, Principal, PrincipalKind, Right
from leadglass.core.query import Level, Query, Selection
from leadglass.core.reach import EVERYTHING, NOTHING, Reach
from leadglass.core.reach_json import reach_to_dict
from leadglass.dicom.names import name_groups, normalise_text
from leadglass.services.ingest import StoreOutcome

STUDY_UID = 0x0020000D
NAMED = {STUDY_UID: Attribute("UI")}


def program(reach: Reach, institution: str = "") -> Principal:
    rights = frozenset({Right.STORE, Right.FIND, Right.RETRIEVE, Right.DELETE})
    return Principal(PrincipalKind.PROGRAM, "ci", rights, "127.0.0.1", institution=institution, reach=reach)


def studies(*numbers: int) -> Reach:
    return Reach(studies=frozenset(study_uid(number) for number in numbers))


async def found(archive: Archive, who: Principal, level: Level = Level.STUDY) -> list[str]:
    page = await archive.find.find(who, Query(level, NAMED, reach=EVERYTHING))
    return [str(match[STUDY_UID].values[0]) for match in page.matches]


REACHES = {
    "study": studies(2),
    "patient": Reach(patients=frozenset({("", "P2")})),
    "patient of an issuer": Reach(patients=frozenset({("clinic", "P2")})),
    "institution": Reach(institutions=frozenset({normalise_text("Poliambulatorio  NORD")})),
    "referring physician": Reach(referring=frozenset(name_groups("BIANCHI^Änna"))),
}


@pytest.mark.parametrize("reach", REACHES.values(), ids=REACHES)
async def test_each_kind_of_reach_narrows_find_select_and_delete(archive: Archive, reach: Reach) -> None:
    await store_one(archive, 1)
    await store_one(archive, 3, ReferringPhysicianName="Verdi^Anna")
    device = Principal(PrincipalKind.DEVICE, "ct", frozenset(Right), institution="Poliambulatorio Nord")
    made = data_set(2, ReferringPhysicianName="Bianchi^Anna", IssuerOfPatientID="clinic")
    await store(archive, encoded(made), uid(2, 1), principal=device)
    who = program(reach)
    for level in (Level.STUDY, Level.SERIES, Level.IMAGE):
        assert await found(archive, who, level) == [study_uid(2)]
    page = await archive.find.find(who, Query(Level.PATIENT, {0x00100020: Attribute("LO")}))
    assert [match[0x00100020].values for match in page.matches] == [("P2",)]
    everything = Selection(Level.STUDY, study_uids=tuple(study_uid(number) for number in (1, 2, 3)))
    assert {one.identity.study_uid for one in await archive.retrieve.select(who, everything)} == {study_uid(2)}
    assert await archive.retrieve.select(who, image(1, 1)) == []
    assert archive.trash.delete(who, everything, "test") == [study_uid(2)]
    assert await found(archive, SYSTEM) == [study_uid(1), study_uid(3)]


async def test_another_issuer_is_another_patient(archive: Archive) -> None:
    await store_one(archive, 1, IssuerOfPatientID="clinic")
    assert await found(archive, program(Reach(patients=frozenset({("hospital", "P1")})))) == []


async def test_no_reach_reaches_nothing_and_an_empty_name_neither(archive: Archive) -> None:
    await store_one(archive, 1, PatientID="", ReferringPhysicianName="")
    blank = frozenset({""})
    for reach in (NOTHING, Reach(False, blank, frozenset({("", "")}), blank, blank)):
        assert await found(archive, program(reach)) == []
        assert await archive.retrieve.select(program(reach), whole_study(1)) == []


async def test_what_lies_outside_is_not_counted(archive: Archive) -> None:
    for study in (1, 2, 3):
        await store_one(archive, study, PatientID="SAME")
    keys = {0x00201200: Attribute("IS"), 0x00201202: Attribute("IS"), 0x00201204: Attribute("IS")}
    for level in (Level.PATIENT, Level.STUDY):
        page = await archive.find.find(program(studies(2)), Query(level, keys))
        (match,) = page.matches
        assert [match[tag].values for tag in keys] == [("1",), ("1",), ("1",)]


async def test_a_store_outside_the_reach_is_refused_and_leaves_nothing(archive: Archive) -> None:
    for number, size in ((1, 2_000), (2, 400_000)):  # in one piece, and with the key asked for while it arrives
        with pytest.raises(LeadglassError) as refused:
            await store(archive, encoded(data_set(1, number, size)), uid(1, number), principal=program(studies(2)))
        assert refused.value.code is ErrorCode.NOT_AUTHORISED
    assert archive.catalog.statistics()["instances"] == 0
    assert archive.catalog.studies_of(whole_study(1)) == []


async def test_a_listed_study_or_patient_may_be_stored_to(archive: Archive) -> None:
    for reach in (studies(1), Reach(patients=frozenset({("", "P1")}))):
        number = 1 if reach.studies else 2
        result = await store(archive, encoded(data_set(1, number)), uid(1, number), principal=program(reach))
        assert result.outcome is StoreOutcome.STORED


async def test_by_institution_only_what_is_there_may_be_stored_to(archive: Archive) -> None:
    who = program(Reach(institutions=frozenset({"nord"})), institution="Nord")
    with pytest.raises(LeadglassError):
        await store(archive, encoded(data_set(1, 1)), uid(1, 1), principal=who)
    device = Principal(PrincipalKind.DEVICE, "ct", frozenset(Right), institution="Nord")
    await store(archive, encoded(data_set(1, 2)), uid(1, 2), principal=device)
    result = await store(archive, encoded(data_set(1, 1)), uid(1, 1), principal=who)
    assert result.outcome is StoreOutcome.STORED


async def test_naming_oneself_as_referring_physician_opens_nothing(archive: Archive) -> None:
    """Only the object that made the study says who referred it."""
    await store_one(archive, 1, 1, ReferringPhysicianName="Bianchi^Anna")
    await store_one(archive, 1, 2, ReferringPhysicianName="Curious^Carlo")
    assert await found(archive, program(Reach(referring=frozenset({"curious^carlo"})))) == []


async def test_a_study_uid_with_ones_own_patient_gives_no_hold_on_anothers_study(archive: Archive) -> None:
    await store_one(archive, 1)
    own = program(Reach(patients=frozenset({("", "MINE")})))
    with pytest.raises(LeadglassError) as refused:
        await store(archive, encoded(data_set(1, 2, PatientID="MINE")), uid(1, 2), principal=own)
    assert refused.value.code is ErrorCode.NOT_AUTHORISED
    await store_one(archive, 1, 2, PatientID="MINE")  # somebody else did it: a conflict
    assert await found(archive, own) == [study_uid(1)]
    with pytest.raises(LeadglassError) as refused:
        archive.trash.delete(own, whole_study(1), "test")
    assert refused.value.code is ErrorCode.NOT_FOUND
    assert len(archive.catalog.select(whole_study(1))) == 2


async def test_an_instance_of_another_study_is_not_told_by_its_uid(archive: Archive) -> None:
    await store_one(archive, 1)
    archive.trash.delete(SYSTEM, whole_study(1), "test")
    stolen = encoded(data_set(2, 1, SOPInstanceUID=uid(1, 1)))
    result = await store(archive, stolen, uid(1, 1), principal=program(studies(2)))
    assert result.outcome is StoreOutcome.STORED
    assert [entry.study_uid for entry in archive.trash.entries(SYSTEM)] == [study_uid(1)]


async def test_the_trash_shows_and_gives_back_only_what_is_reached(archive: Archive) -> None:
    for study in (1, 2):
        await store_one(archive, study)
        archive.trash.delete(SYSTEM, whole_study(study), "test")
    who = program(studies(2))
    assert [entry.study_uid for entry in archive.trash.entries(who)] == [study_uid(2)]
    with pytest.raises(LeadglassError) as refused:
        archive.trash.undelete(who, [study_uid(1)])
    assert refused.value.code is ErrorCode.NOT_FOUND
    assert archive.trash.undelete(who, [study_uid(1), study_uid(2)]) == [study_uid(2)]


@pytest.mark.parametrize("reach", [EVERYTHING, studies(1, 2), Reach(patients=frozenset({("", "P2")}))])
async def test_a_narrowed_reach_holds_nothing_outside_of_its_studies(archive: Archive, reach: Reach) -> None:
    for number in (1, 2, 3):
        await store_one(archive, number)
    whole = {study for study in await found(archive, program(reach)) if study}
    who = program(reach.narrowed(frozenset({study_uid(2), study_uid(9)})))
    assert await found(archive, who) == [study_uid(2)]
    assert study_uid(2) in whole and not who.reach.everything
    page = await archive.find.find(who, Query(Level.PATIENT, {0x00100020: Attribute("LO")}))
    assert [match[0x00100020].values for match in page.matches] == [("P2",)]
    assert await archive.retrieve.select(who, image(1, 1)) == []
    assert await archive.retrieve.select(who, whole_study(2)) != []


def test_a_narrowed_reach_is_joined_with_nothing() -> None:
    with pytest.raises(ValueError):
        _ = NOTHING | studies(1).narrowed(frozenset())


def some(*uids: str, study: int = 1, of: Reach = EVERYTHING) -> Principal:
    """Somebody who reaches these instances of a study alone."""
    return program(of.limited(frozenset({study_uid(study)}), frozenset(uids)))


async def three_of_a_study(archive: Archive) -> None:
    """A CT series of two, and a series of one key object in another modality; and a second study of the patient."""
    await store_one(archive, 1, 1)
    await store_one(archive, 1, 2)
    other = {"SeriesInstanceUID": f"{study_uid(1)}.2000", "Modality": "MR", "SOPClassUID": MR}
    await store(archive, encoded(data_set(1, 3, **other)), uid(1, 3), sop_class_uid=MR)
    await store_one(archive, 2, 1, PatientID="P1")


MR = "1.2.840.10008.5.1.4.1.1.4"
COUNTED = {
    Level.PATIENT: {0x00201200: ("1",), 0x00201202: ("1",), 0x00201204: ("1",)},
    Level.STUDY: {0x00201206: ("1",), 0x00201208: ("1",), 0x00080061: ("CT",), 0x00080062: (data_set().SOPClassUID,)},
    Level.SERIES: {0x00201209: ("1",)},
    Level.IMAGE: {0x00080018: (uid(1, 1),)},
}


@pytest.mark.parametrize(
    "of", [EVERYTHING, studies(1, 2), Reach(patients=frozenset({("", "P1")}))], ids=["all", "study", "patient"]
)
async def test_of_a_study_only_the_instances_that_are_reached_are_found_and_counted(
    archive: Archive, of: Reach
) -> None:
    await three_of_a_study(archive)
    who = some(uid(1, 1), uid(2, 1), of=of)
    for level, expected in COUNTED.items():
        keys = {tag: Attribute("UI") for tag in expected}
        page = await archive.find.find(who, Query(level, keys))
        assert [{tag: match[tag].values for tag in expected} for match in page.matches] == [expected], level


async def test_of_a_study_only_the_instances_that_are_reached_are_selected(archive: Archive) -> None:
    await three_of_a_study(archive)
    who = some(uid(1, 1), uid(2, 1))

    async def selected(selection: Selection) -> list[str]:
        return [stored.identity.sop_instance_uid for stored in await archive.retrieve.select(who, selection)]

    assert await selected(whole_study(1)) == [uid(1, 1)]
    assert await selected(whole_study(2)) == []  # named, and of no study that is reached
    assert await selected(image(1, 1)) == [uid(1, 1)]
    assert await selected(image(1, 2)) == []
    assert await selected(image(2, 1)) == []
    assert await selected(Selection(Level.PATIENT, patient_id="P1")) == [uid(1, 1)]
    for selection, count in ((whole_study(1), 1), (whole_study(2), 0)):
        documents = await archive.metadata.series(who, selection, "https://example.org")
        assert len(documents) == count
    assert await archive.render.thumbnail(who, whole_study(2)) is None


async def test_metadata_of_some_instances_are_not_those_of_all(archive: Archive) -> None:
    await three_of_a_study(archive)
    for who, first in ((some(uid(1, 1)), 1), (SYSTEM, 2), (some(uid(1, 2)), 1), (some(uid(1, 1)), 1)):
        documents = await archive.metadata.series(who, whole_study(1), "https://example.org")
        made = [len(json.loads(gzip.decompress(document.gzip))) for document in documents]
        assert made[0] == first, who.reach


async def test_who_reaches_some_instances_stores_and_deletes_nothing(archive: Archive) -> None:
    await store_one(archive, 1, 1)
    for reach in (EVERYTHING, studies(1, 9)):
        for study in (1, 9):
            who = program(reach.limited(frozenset({study_uid(study)}), frozenset({uid(study, 1), uid(study, 2)})))
            with pytest.raises(LeadglassError) as refused:
                await store(archive, encoded(data_set(study, 2)), uid(study, 2), principal=who)
            assert refused.value.code is ErrorCode.NOT_AUTHORISED
    with pytest.raises(LeadglassError) as absent:
        archive.trash.delete(some(uid(1, 1)), whole_study(1), "test")
    assert absent.value.code is ErrorCode.NOT_FOUND


def test_a_limit_only_narrows_and_is_never_lost() -> None:
    one = EVERYTHING.limited(frozenset({"1.2"}), frozenset({"1.2.3", "1.2.4"}))
    again = one.limited(frozenset({"1.2", "1.3"}), frozenset({"1.2.4", "1.2.5"}))
    assert again.instances == frozenset({"1.2.4"})
    assert again.narrowed(frozenset({"1.2"})).instances == frozenset({"1.2.4"})
    with pytest.raises(ValueError, match="narrowed"):
        _ = NOTHING | one
    with pytest.raises(ValueError, match="narrowed"):
        Reach(everything=True, instances=frozenset())
    with pytest.raises(ValueError, match="kept"):
        reach_to_dict(one)
