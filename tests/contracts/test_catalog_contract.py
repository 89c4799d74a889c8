"""What every implementation of core.ports.Catalog owes."""

from dataclasses import replace
from pathlib import Path

import pytest

from leadglass.core.attributes import Attribute
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.identity import InstanceIdentity, PatientKey
from leadglass.core.listing import StudySearch
from leadglass.core.ports import AddOutcome, Catalog
from leadglass.core.query import Level, Query, Selection
from leadglass.core.reach import Reach
from leadglass.core.records import HeaderValue, InstanceEntry, Location, RecordTrailer, ReplayMark
from leadglass.dicom.dictionary import tag_of, vr_of
from leadglass.index.catalog import SqliteCatalog

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
PALETTE = "1.2.840.10008.5.1.4.39.1"
KEY = bytes(32)


def sqlite_catalog(folder: Path) -> Catalog:
    return SqliteCatalog(folder / "catalog.db", KEY)


@pytest.fixture(params=[sqlite_catalog])
def reopen(request, tmp_path):
    opened = []

    def again():
        while opened:
            opened.pop().close()
        opened.append(request.param(tmp_path))
        return opened[-1]

    yield again
    while opened:
        opened.pop().close()


@pytest.fixture
def catalog(reopen):
    return reopen()


def entry(
    sop,
    *,
    study="1.2",
    series="1.2.1",
    patient="P",
    issuer="",
    segment="a" * 32,
    offset=0,
    kind=CT,
    content=None,
    syntax=EXPLICIT,
    **values,
):
    """An entry of a record; one at another place has other bytes unless `content` says otherwise."""
    header = {tag_of(key): HeaderValue(vr_of(tag_of(key)), value.encode()) for key, value in values.items()}
    identity = InstanceIdentity(kind, sop, study, series, PatientKey(issuer, patient))
    digest = (content or f"at {offset}").encode().ljust(32, b"d")
    trailer = RecordTrailer(identity, syntax, 7, digest, "ct1", "CT1", "10.0.0.1", "", "ISO_IR 100")
    return InstanceEntry(trailer, Location(segment, offset, 100), b"k" * 16, dict(sorted(header.items())))


def find(catalog, level, asked="", limit=10_000, offset=0, **keys):
    wanted = {tag_of(keyword): Attribute(vr_of(tag_of(keyword))) for keyword in asked.split()}
    wanted |= {
        tag_of(key): Attribute(vr_of(tag_of(key)), (value,) if isinstance(value, str) else tuple(value))
        for key, value in keys.items()
    }
    return catalog.find(Query(level, dict(sorted(wanted.items())), limit, offset))


def found(catalog, level, keyword, **keys):
    page = find(catalog, level, keyword, **keys)
    return [match[tag_of(keyword)].values for match in page.matches]


def outcomes(catalog, entries, marks=()):
    return [added.outcome for added in catalog.add(entries, marks)]


def test_an_entry_is_found_by_its_uid_where_it_lies(catalog):
    one = entry("1.2.1.1", offset=512)
    assert outcomes(catalog, [one]) == [AddOutcome.ADDED]
    stored = catalog.lookup("1.2.1.1")
    assert stored is not None
    assert stored.identity == one.trailer.identity
    assert stored.location == one.location
    assert (stored.key_id, stored.digest, stored.version) == (b"k" * 16, one.trailer.digest, 1)
    assert stored.transfer_syntax_uid == EXPLICIT
    assert catalog.lookup("1.2.1.2") is None


def test_entries_and_marks_survive(reopen):
    reopen().add([entry("1.1")], [ReplayMark("a" * 32, 700)])
    catalog = reopen()
    assert catalog.lookup("1.1") is not None
    assert catalog.marks() == {"a" * 32: ReplayMark("a" * 32, 700)}


def test_two_that_write_to_one_catalog_add_to_one_series(tmp_path):
    """Processes share a catalog: what one remembers of a series, the other has gone beyond."""
    one, other = sqlite_catalog(tmp_path), sqlite_catalog(tmp_path)
    try:
        for number in range(4):
            writer = (one, other)[number % 2]
            assert outcomes(writer, [entry(f"1.{number}", offset=number)]) == [AddOutcome.ADDED]
        assert one.statistics()["instances"] == 4
    finally:
        one.close()
        other.close()


def test_a_mark_goes_forward_only_and_a_sealed_segment_stays_sealed(catalog):
    catalog.add([], [ReplayMark("b" * 32, 900, True)])
    catalog.add([], [ReplayMark("b" * 32, 300)])
    assert catalog.marks() == {"b" * 32: ReplayMark("b" * 32, 900, True)}


def test_a_segment_without_a_mark_has_none_after_an_add(catalog):
    catalog.add([entry("1.1")], [])
    assert catalog.marks() == {}


def test_the_same_location_again_is_known(catalog):
    assert outcomes(catalog, [entry("1.1"), entry("1.1")]) == [AddOutcome.ADDED, AddOutcome.KNOWN]
    assert outcomes(catalog, [entry("1.1")]) == [AddOutcome.KNOWN]
    assert catalog.statistics()["instances"] == 1


def test_the_same_content_at_another_place_is_known_and_stays_where_it_was(catalog):
    """What was stored, could not be synced or catalogued, and was sent again, lies twice in the vault."""
    first, again = entry("1.1", content="x"), entry("1.1", content="x", segment="b" * 32, offset=512)
    assert outcomes(catalog, [first]) == [AddOutcome.ADDED]
    assert outcomes(catalog, [again, first], [ReplayMark("b" * 32, 700)]) == [AddOutcome.KNOWN, AddOutcome.KNOWN]
    assert [one.location for one in catalog.versions("1.1")] == [first.location]
    assert catalog.conflicts() == []
    assert catalog.statistics()["bytes"] == 100
    assert catalog.marks() == {"b" * 32: ReplayMark("b" * 32, 700)}


def test_the_same_content_as_an_unserved_version_is_known(catalog):
    one, other = entry("1.1", content="x"), entry("1.1", content="y", offset=512)
    catalog.add([one, other], [])
    assert outcomes(catalog, [entry("1.1", content="y", offset=1024)]) == [AddOutcome.KNOWN]
    assert len(catalog.versions("1.1")) == 2


def test_the_same_bytes_in_another_transfer_syntax_are_a_version(catalog):
    """What bytes mean depends on their transfer syntax."""
    same = {"content": "x", "offset": 512}
    assert outcomes(catalog, [entry("1.1", content="x"), entry("1.1", syntax=IMPLICIT, **same)]) == [
        AddOutcome.ADDED,
        AddOutcome.VERSION,
    ]


def test_b6_another_content_of_one_uid_is_a_version_that_is_not_served(catalog):
    added = outcomes(catalog, [entry("1.1"), entry("1.1", offset=500), entry("1.1", offset=900)])
    assert added == [AddOutcome.ADDED, AddOutcome.VERSION, AddOutcome.VERSION]
    assert catalog.lookup("1.1").location.offset == 0
    assert [one.version for one in catalog.versions("1.1")] == [1, 2, 3]
    assert [one["version"] for one in catalog.conflicts()] == [2, 3]
    assert len(catalog.select(Selection(Level.STUDY, study_uids=("1.2",)))) == 1
    assert found(catalog, Level.STUDY, "NumberOfStudyRelatedInstances") == [("1",)]
    assert len(find(catalog, Level.IMAGE, "SOPInstanceUID").matches) == 1


def test_a_version_in_another_study_makes_nothing_visible(catalog):
    catalog.add([entry("1.1"), entry("1.1", study="9.9", series="9.9.1", patient="Q", offset=500)], [])
    assert found(catalog, Level.STUDY, "StudyInstanceUID") == [("1.2",)]
    assert found(catalog, Level.PATIENT, "PatientID") == [("P",)]
    catalog.add([entry("2.2", study="9.9", series="9.9.1", patient="Q", offset=900, PatientName="Seen^Now")], [])
    assert found(catalog, Level.PATIENT, "PatientName", PatientID="Q") == [("Seen^Now",)]
    assert found(catalog, Level.SERIES, "NumberOfSeriesRelatedInstances", SeriesInstanceUID="9.9.1") == [("1",)]
    assert found(catalog, Level.PATIENT, "PatientID", PatientName="seen*") == [("Q",)]


def test_one_patient_id_of_two_issuers_is_two_patients(catalog):
    catalog.add([entry("1.1", issuer="A"), entry("2.1", study="2", series="2.1", issuer="B")], [])
    assert found(catalog, Level.PATIENT, "IssuerOfPatientID", PatientID="P") == [("A",), ("B",)]
    assert catalog.studies_of(Selection(Level.PATIENT, patient_id="P", issuer="B")) == ["2"]
    assert catalog.studies_of(Selection(Level.PATIENT, patient_id="P")) == ["1.2", "2"]


def test_b6_two_patients_with_one_patient_id_and_issuer_are_one_entity_with_the_first_name(catalog):
    catalog.add(
        [entry("1.1", PatientName="Rossi^Maria"), entry("2.1", study="2", series="2.1", PatientName="Bianchi")], []
    )
    assert found(catalog, Level.PATIENT, "PatientName") == [("Rossi^Maria",)]


def test_an_empty_patient_id_never_joins_two_studies(catalog):
    catalog.add([entry("1.1", patient=""), entry("2.1", study="2", series="2.1", patient="")], [])
    assert catalog.statistics()["patients"] == 2
    assert found(catalog, Level.PATIENT, "NumberOfPatientRelatedStudies") == [("1",), ("1",)]


def test_a_study_known_with_another_patient_is_kept_and_listed(catalog):
    catalog.add([entry("1.1"), entry("1.2", patient="Q")], [])
    listed = [one for one in catalog.conflicts() if one["kind"] == "patient"]
    assert [one["patient_id"] for one in listed] == ["P", "Q"]
    assert found(catalog, Level.STUDY, "PatientID", StudyInstanceUID="1.2") == [("P",), ("Q",)]


def test_objects_without_a_patient_are_stored_and_in_no_query(catalog):
    assert outcomes(catalog, [entry("5.5", study="", series="", patient="", kind=PALETTE)]) == [AddOutcome.ADDED]
    assert catalog.lookup("5.5").identity.sop_class_uid == PALETTE
    for level in Level:
        assert find(catalog, level, "PatientID").matches == []
    assert [one.identity.sop_instance_uid for one in catalog.instances()] == ["5.5"]


def test_the_first_object_of_an_entity_defines_it(catalog):
    catalog.add([entry("1.1", StudyDescription="first"), entry("1.2", StudyDescription="second")], [])
    assert found(catalog, Level.STUDY, "StudyDescription") == [("first",)]


def test_the_trash_hides_a_study_and_gives_it_back(catalog):
    catalog.add([entry("1.1"), entry("2.1", study="2", series="2.1")], [])
    assert catalog.set_trashed("1.2", True) == 1
    assert catalog.is_trashed("1.1")
    assert catalog.lookup("1.1") is not None
    assert found(catalog, Level.STUDY, "StudyInstanceUID") == [("2",)]
    assert catalog.select(Selection(Level.PATIENT, patient_id="P"))[0].identity.study_uid == "2"
    assert catalog.studies_of(Selection(Level.STUDY, study_uids=("1.2",))) == ["1.2"]
    assert catalog.statistics()["trashed_studies"] == 1
    assert found(catalog, Level.PATIENT, "NumberOfPatientRelatedStudies") == [("1",)]
    assert catalog.set_trashed("1.2", False) == 1
    assert not catalog.is_trashed("1.1")
    assert len(find(catalog, Level.STUDY, "StudyInstanceUID").matches) == 2


def named(*sops):
    return Selection(Level.IMAGE, sop_instance_uids=sops)


def shown(catalog):
    """What each level shows, counts, and what selections give."""
    return {
        "found": {level: found(catalog, level, key) for level, key in KEYS.items()},
        "counted": [
            found(catalog, level, keyword) for level, keywords in COUNTED.items() for keyword in keywords.split()
        ],
        "listed": [
            (page.count, [match[tag_of("StudyInstanceUID")].values for match in page.matches])
            for page in map(catalog.list_studies, (StudySearch(), StudySearch(modalities=("MR",))))
        ],
        "selected": catalog.select(Selection(Level.STUDY, study_uids=("1.2", "2"))),
        "states": catalog.series_states(Selection(Level.STUDY, study_uids=("1.2", "2"))),
    }


KEYS = {
    Level.PATIENT: "PatientID",
    Level.STUDY: "StudyInstanceUID",
    Level.SERIES: "SeriesInstanceUID",
    Level.IMAGE: "SOPInstanceUID",
}
COUNTED = {
    Level.PATIENT: "NumberOfPatientRelatedStudies NumberOfPatientRelatedSeries NumberOfPatientRelatedInstances",
    Level.STUDY: "NumberOfStudyRelatedSeries NumberOfStudyRelatedInstances ModalitiesInStudy SOPClassesInStudy",
    Level.SERIES: "NumberOfSeriesRelatedInstances",
}
MR = "1.2.840.10008.5.1.4.1.1.4"


def test_a_hidden_instance_is_as_if_it_had_not_come(catalog, reopen):
    """And once it is shown, as if it had never been hidden."""
    rest = [
        entry("1.1", Modality="CT"),
        entry("1.2", offset=9, Modality="CT"),
        entry("2.1", study="2", series="2.1", patient="Q", offset=10),
    ]
    more = [
        entry("1.3", offset=11, kind=MR, Modality="CT"),
        entry("1.4", series="1.2.2", offset=12, kind=MR, Modality="MR"),
        entry("3.1", study="3", series="3.1", patient="R", offset=13),
    ]
    catalog.add(rest, [])
    without = shown(catalog)
    catalog.add(more, [])
    whole = shown(catalog)
    assert whole != without
    assert catalog.set_hidden(["1.3", "1.4", "3.1", "9.9"], True) == 3
    assert catalog.set_hidden(["1.3"], True) == 0
    assert shown(catalog) == without
    assert catalog.select(named("1.3", "1.4", "3.1")) == []
    assert [item.identity.sop_instance_uid for item in catalog.hidden_of(named("1.1", "1.3"))] == ["1.3"]
    assert catalog.hidden() == ["1.3", "1.4", "3.1"]
    assert catalog.is_trashed("1.3")
    assert not catalog.is_trashed("1.1")
    assert catalog.lookup("1.3") is not None
    assert len(catalog.versions("1.3")) == 1
    assert catalog.unread() == (0, 0)
    assert catalog.conflicts() == []
    assert catalog.set_hidden(["1.1", "1.3", "1.4", "3.1"], False) == 3
    assert shown(catalog) == whole
    assert catalog.hidden() == []


def test_what_comes_after_all_of_a_series_is_hidden_is_shown(catalog):
    """The writer remembers series: it must not go on to think that this one shows."""
    catalog.add([entry("1.1")], [])
    catalog.set_hidden(["1.1"], True)
    assert found(catalog, Level.PATIENT, "PatientID") == []
    assert [added.in_trash for added in catalog.add([entry("1.2", offset=9)], [])] == [False]
    assert found(catalog, Level.STUDY, "NumberOfStudyRelatedInstances") == [("1",)]
    assert found(catalog, Level.PATIENT, "PatientID") == [("P",)]
    assert [row.identity.sop_instance_uid for row in catalog.select(Selection(Level.PATIENT, patient_id="P"))] == [
        "1.2"
    ]
    assert catalog.list_studies(StudySearch()).count == 1


def test_another_content_of_a_hidden_instance_is_a_version_and_shows_nothing(catalog):
    catalog.add([entry("1.1")], [])
    catalog.set_hidden(["1.1"], True)
    assert outcomes(catalog, [entry("1.1", offset=64)]) == [AddOutcome.VERSION]
    assert found(catalog, Level.IMAGE, "SOPInstanceUID") == []
    catalog.set_hidden(["1.1"], False)
    assert found(catalog, Level.SERIES, "NumberOfSeriesRelatedInstances") == [("1",)]


def test_the_trash_of_a_study_and_of_its_instances_do_not_know_each_other(catalog):
    catalog.add([entry("1.1"), entry("1.2", offset=9)], [])
    catalog.set_hidden(["1.1"], True)
    catalog.set_trashed("1.2", True)
    assert catalog.hidden_of(named("1.1")) == []  # it comes back with its study only after that has
    catalog.set_trashed("1.2", False)
    assert found(catalog, Level.IMAGE, "SOPInstanceUID") == [("1.2",)]
    assert len(catalog.hidden_of(named("1.1"))) == 1


def test_hidden_instances_keep_to_a_reach(catalog):
    catalog.add([entry("1.1"), entry("2.1", study="2", series="2.1")], [])
    catalog.set_hidden(["1.1", "2.1"], True)
    narrow = replace(named("1.1", "2.1"), reach=Reach(studies=frozenset({"2"})))
    assert [item.identity.sop_instance_uid for item in catalog.hidden_of(narrow)] == ["2.1"]


def test_objects_without_a_patient_stay_unseen_when_they_come_back(catalog):
    catalog.add([entry("7.7", study="", series="", patient="")], [])
    before = shown(catalog)
    catalog.set_hidden(["7.7"], True)
    catalog.set_hidden(["7.7"], False)
    assert shown(catalog) == before


def test_an_entry_of_a_trashed_study_is_told_to_lie_in_the_trash(catalog):
    catalog.set_trashed("1.2", True)
    entries = [entry("1.1"), entry("2.1", study="2", series="2.1"), entry("1.1")]
    assert [added.in_trash for added in catalog.add(entries, [])] == [True, False, True]
    catalog.set_trashed("1.2", False)
    assert [added.in_trash for added in catalog.add([entry("1.3")], [])] == [False]


def test_nothing_is_known_before_it_is_settled_and_the_marks_of_the_settling_count(catalog):
    def settle():
        assert catalog.lookup("1.1") is None
        return [ReplayMark("a" * 32, 700)]

    catalog.add([entry("1.1")], [ReplayMark("b" * 32, 300)], settle)
    assert catalog.lookup("1.1") is not None
    assert catalog.marks() == {"a" * 32: ReplayMark("a" * 32, 700), "b" * 32: ReplayMark("b" * 32, 300)}


def test_nothing_counts_if_the_settling_fails(catalog):
    def settle():
        raise LeadglassError(ErrorCode.OUT_OF_RESOURCES, "The disk is broken.")

    with pytest.raises(LeadglassError, match="disk is broken"):
        catalog.add([entry("1.1")], [ReplayMark("b" * 32, 300)], settle)
    assert catalog.lookup("1.1") is None
    assert catalog.marks() == {}
    assert outcomes(catalog, [entry("1.1")]) == [AddOutcome.ADDED]


def test_what_is_hidden_is_told_whether_it_is_known_or_not(catalog):
    catalog.add([entry("1.1")], [])
    for study in ("1.2", "9.9"):
        catalog.set_trashed(study, True)
    assert sorted(catalog.trashed()) == ["1.2", "9.9"]
    catalog.set_trashed("1.2", False)
    assert catalog.trashed() == ["9.9"]


def test_unread_versions_are_counted_with_their_bytes(catalog):
    assert catalog.unread() == (0, 0)
    catalog.add([entry("1.1"), entry("1.1", offset=64), entry("1.1", offset=128, segment="b" * 32)], [])
    assert catalog.unread() == (2, 200)
    catalog.clear()
    assert catalog.unread() == (0, 0)


def test_the_largest_order_is_kept(reopen):
    catalog = reopen()
    assert catalog.last_order() == 0
    later = entry("1.2", offset=64, segment="b" * 32)
    catalog.add([entry("1.1"), replace(later, trailer=replace(later.trailer, order=50))], [])
    catalog.add([entry("1.3", offset=128)], [])
    assert reopen().last_order() == 50


def test_a_patient_whose_studies_all_lie_in_the_trash_is_hidden(catalog):
    catalog.add([entry("1.1")], [])
    catalog.set_trashed("1.2", True)
    assert find(catalog, Level.PATIENT, "PatientID").matches == []


def test_trash_told_before_the_study_is_known_hides_it(catalog):
    assert catalog.set_trashed("1.2", True) == 0
    catalog.add([entry("1.1")], [])
    assert find(catalog, Level.STUDY, "StudyInstanceUID").matches == []


def test_select_orders_by_series_and_instance_number(catalog):
    numbers = ["10", "9", "2", ""]
    catalog.add(
        [entry(f"1.{n}", offset=n, InstanceNumber=text, SeriesNumber="2") for n, text in enumerate(numbers)]
        + [entry("2.1", series="1.2.2", offset=99, InstanceNumber="5", SeriesNumber="1")],
        [],
    )
    chosen = catalog.select(Selection(Level.STUDY, study_uids=("1.2",)))
    assert [one.identity.sop_instance_uid for one in chosen] == ["2.1", "1.2", "1.1", "1.0", "1.3"]


def test_select_takes_lists_and_holds_every_named_level(catalog):
    catalog.add([entry(f"1.{n}", offset=n) for n in range(5)] + [entry("7.1", study="7", series="7.1", offset=77)], [])
    image = Selection(Level.IMAGE, sop_instance_uids=("1.1", "1.3", "7.1"), study_uids=("1.2",))
    assert [one.identity.sop_instance_uid for one in catalog.select(image)] == ["1.1", "1.3"]
    assert len(catalog.select(Selection(Level.SERIES, series_uids=("1.2.1", "7.1")))) == 6
    assert catalog.select(Selection(Level.STUDY, patient_id="other", study_uids=("1.2",))) == []


@pytest.mark.parametrize("level", list(Level))
def test_a_selection_that_names_nothing_selects_nothing(catalog, level):
    catalog.add([entry("1.1", patient="")], [])
    assert catalog.select(Selection(level)) == []
    assert catalog.studies_of(Selection(level)) == []


def test_instances_come_by_segment_and_offset_with_versions_and_trash(catalog):
    catalog.add(
        [
            entry("3", segment="b" * 32, offset=5),
            entry("1", offset=800),
            entry("2", series="1.2.2", offset=100),
            entry("3", offset=900),
        ],
        [],
    )
    catalog.set_trashed("1.2", True)
    places = [(one.location.segment[0], one.location.offset) for one in catalog.instances()]
    assert places == [("a", 100), ("a", 800), ("a", 900), ("b", 5)]


def test_statistics_count(catalog):
    catalog.add([entry("1"), entry("1", offset=9), entry("2", study="5", series="5.1", patient="Q", offset=18)], [])
    assert dict(catalog.statistics()) == {
        "patients": 2,
        "studies": 2,
        "series": 2,
        "instances": 2,
        "versions": 1,
        "trashed_studies": 0,
        "bytes": 300,
    }


def came(sop, moment, offset=0, segment="a" * 32):
    one = entry(sop, offset=offset, segment=segment)
    return replace(one, trailer=replace(one.trailer, received_at=moment))


def test_what_came_is_counted_by_day(catalog):
    day = 24 * 3600 * 10**9
    catalog.add([came("1", 9 * day), came("2", 10 * day - 1, 1), came("3", 10 * day, 2, "b" * 32)], [])
    catalog.add([came("3", 12 * day + 5, 3, "b" * 32), came("4", 12 * day + 6, 4, "c" * 32)], [])
    assert catalog.arrivals(0) == [(9, 2, 200), (10, 1, 100), (12, 2, 200)]
    assert catalog.arrivals(10 * day - 1) == [(9, 1, 100), (10, 1, 100), (12, 2, 200)]
    assert catalog.arrivals(13 * day) == []


def test_clear_and_adding_again_gives_the_same_answers(catalog):
    entries = [
        entry(f"{study}.{n}", study=f"{study}", series=f"{study}.1", patient=f"P{study % 3}", offset=n + 100 * study,
              StudyDate=f"2024010{study}", Modality="MR" if study % 2 else "CT", StudyDescription=f"s{study} n{n}")
        for study in range(1, 9) for n in range(3)
    ]  # fmt: skip
    entries += [entry("1.0", study="1", series="1.1", patient="P1", offset=5000)]
    asked = "PatientID StudyDescription ModalitiesInStudy NumberOfStudyRelatedInstances StudyInstanceUID"
    catalog.add(entries, [ReplayMark("a" * 32, 6000)])
    before = find(catalog, Level.STUDY, asked).matches, list(catalog.instances()), catalog.conflicts()
    catalog.clear()
    assert find(catalog, Level.STUDY, asked).matches == []
    assert set(catalog.statistics().values()) == {0}
    assert catalog.marks() == {}
    for one in entries:
        catalog.add([one], [])
    assert (find(catalog, Level.STUDY, asked).matches, list(catalog.instances()), catalog.conflicts()) == before


def test_a_limit_is_told_and_pages_join_without_gap(catalog):
    catalog.add([entry(f"{n}.1", study=f"{n}", series=f"{n}.9", offset=n) for n in range(1, 8)], [])
    first = find(catalog, Level.STUDY, "StudyInstanceUID", limit=3)
    assert first.truncated
    last = find(catalog, Level.STUDY, "StudyInstanceUID", limit=4, offset=3)
    assert not last.truncated
    uids = [match[tag_of("StudyInstanceUID")].values[0] for match in first.matches + last.matches]
    assert uids == [str(n) for n in range(1, 8)]
