"""Queries end to end: levels, relational keys, character sets, zones, hostile keys, and a model to agree with."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.core.attributes import Attribute
from leadglass.core.identity import InstanceIdentity, PatientKey
from leadglass.core.query import Level, Query, Selection
from leadglass.core.records import HeaderValue, InstanceEntry, Location, RecordTrailer
from leadglass.dicom.dictionary import tag_of, vr_of
from leadglass.dicom.names import name_groups
from leadglass.index import catalog_writer
from leadglass.index.catalog import SqliteCatalog
from leadglass.index.matching import compile_key

KEY = bytes(32)
CT = "1.2.840.10008.5.1.4.1.1.2"
UTF_8 = {"SpecificCharacterSet": "ISO_IR 192"}


def entry(sop, *, study="1.2", series=None, patient="P", offset=0, assumed="ISO_IR 100", sop_class=CT, **values):
    header = {}
    for keyword, value in values.items():
        tag = tag_of(keyword)
        header[tag] = HeaderValue(vr_of(tag), value if isinstance(value, bytes) else value.encode("utf-8"))
    identity = InstanceIdentity(sop_class, sop, study, series or f"{study}.1", PatientKey("", patient))
    syntax = "1.2.840.10008.1.2.1"
    trailer = RecordTrailer(identity, syntax, 7, b"d" * 32, "ct1", "CT1", "10.0.0.1", "", assumed)
    return InstanceEntry(trailer, Location("a" * 32, offset, 100), b"k" * 16, dict(sorted(header.items())))


def keys_of(asked="", **keys):
    wanted = {tag_of(keyword): Attribute(vr_of(tag_of(keyword))) for keyword in asked.split()}
    for keyword, value in keys.items():
        values = (value,) if isinstance(value, str | dict) else tuple(value)
        wanted[tag_of(keyword)] = Attribute(vr_of(tag_of(keyword)), values)
    return dict(sorted(wanted.items()))


def answers(catalog, level, asked, timezone="", combined=False, **keys):
    """The values of the asked keywords, match by match."""
    page = catalog.find(Query(level, keys_of(asked, **keys), 100_000, 0, timezone, combined))
    return [tuple("\\".join(map(str, match[tag_of(k)].values)) for k in asked.split()) for match in page.matches]


@pytest.fixture
def catalog(tmp_path):
    made = SqliteCatalog(tmp_path / "catalog.db", KEY)
    yield made
    made.close()


@pytest.fixture
def hospital(catalog):
    """Two patients, three studies, four series."""
    one = {"PatientName": "Rossi^Maria", "StudyDate": "20240101", "StudyTime": "0800", "AccessionNumber": "A1"}
    two = {"PatientName": "Rossi^Maria", "StudyDate": "20240301", "StudyTime": "2330", "AccessionNumber": "A2"}
    three = {"PatientName": "Müller^Jörg", "StudyDate": "20240301", "AccessionNumber": "B1"}
    utf8 = {"SpecificCharacterSet": "ISO_IR 192"}
    catalog.add(
        [
            entry("1.1", study="1", patient="R", offset=1, Modality="CT", InstanceNumber="1", **one, **utf8),
            entry("1.2", study="1", patient="R", offset=2, Modality="CT", InstanceNumber="2", **one, **utf8),
            entry("1.3", study="1", patient="R", offset=3, series="1.9", Modality="SR", sop_class="9.9", **one, **utf8),
            entry("2.1", study="2", patient="R", offset=4, Modality="MR", **two, **utf8),
            entry("3.1", study="3", patient="M", offset=5, Modality="CT", **three, **utf8),
        ],
        [],
    )
    return catalog


def test_each_level_answers_for_itself(hospital):
    assert answers(hospital, Level.PATIENT, "PatientID PatientName") == [("R", "Rossi^Maria"), ("M", "Müller^Jörg")]
    assert answers(hospital, Level.STUDY, "StudyInstanceUID") == [("1",), ("2",), ("3",)]
    assert answers(hospital, Level.SERIES, "SeriesInstanceUID Modality") == [
        ("1.1", "CT"), ("1.9", "SR"), ("2.1", "MR"), ("3.1", "CT"),
    ]  # fmt: skip
    assert len(answers(hospital, Level.IMAGE, "SOPInstanceUID")) == 5


def test_keys_of_every_level_above_narrow_in_any_combination(hospital):
    assert answers(hospital, Level.IMAGE, "SOPInstanceUID", PatientName="rossi*", Modality="CT") == [("1.1",), ("1.2",)]
    assert answers(hospital, Level.IMAGE, "SOPInstanceUID", AccessionNumber="A1", InstanceNumber="2") == [("1.2",)]
    assert answers(hospital, Level.SERIES, "SeriesInstanceUID", StudyDate="20240301-", PatientID="M") == [("3.1",)]
    assert answers(hospital, Level.IMAGE, "SOPInstanceUID", SeriesInstanceUID=["1.9", "3.1"]) == [("1.3",), ("3.1",)]
    assert answers(hospital, Level.STUDY, "StudyInstanceUID", StudyInstanceUID=["3", "1"]) == [("1",), ("3",)]
    assert answers(hospital, Level.IMAGE, "SOPInstanceUID", SOPInstanceUID=["3.1", "1.2", "7"]) == [("1.2",), ("3.1",)]


def test_counts_and_gathered_values(hospital):
    asked = "NumberOfStudyRelatedSeries NumberOfStudyRelatedInstances ModalitiesInStudy SOPClassesInStudy"
    assert answers(hospital, Level.STUDY, asked, StudyInstanceUID="1") == [("2", "3", "CT\\SR", f"{CT}\\9.9")]
    asked = "NumberOfPatientRelatedStudies NumberOfPatientRelatedSeries NumberOfPatientRelatedInstances"
    assert answers(hospital, Level.PATIENT, asked, PatientID="R") == [("2", "3", "4")]
    assert answers(hospital, Level.SERIES, "NumberOfSeriesRelatedInstances", SeriesInstanceUID="1.1") == [("2",)]
    assert answers(hospital, Level.IMAGE, "InstanceAvailability", SOPInstanceUID="1.1") == [("ONLINE",)]


def test_modalities_in_study_is_a_matching_key(hospital):
    assert answers(hospital, Level.STUDY, "StudyInstanceUID", ModalitiesInStudy="CT") == [("1",), ("3",)]
    assert answers(hospital, Level.STUDY, "StudyInstanceUID", ModalitiesInStudy=["SR", "MR"]) == [("1",), ("2",)]
    assert answers(hospital, Level.STUDY, "StudyInstanceUID", ModalitiesInStudy="S?") == [("1",)]


def test_an_answer_has_the_supported_keys_that_were_asked_for_and_no_other(hospital):
    keys = keys_of("PatientID StudyInstanceUID StudyDescription Modality InstanceNumber PixelData")
    match = hospital.find(Query(Level.STUDY, keys)).matches[0]
    assert set(match) == {tag_of("PatientID"), tag_of("StudyInstanceUID"), tag_of("StudyDescription")}
    assert match[tag_of("StudyDescription")] == Attribute("LO")


def test_character_sets_declared_assumed_and_wrong(catalog):
    greek = "Παπαδόπουλος^Μαρία"
    catalog.add(
        [
            entry(
                "1", study="1", patient="1", PatientName=greek.encode("iso8859-7"), SpecificCharacterSet="ISO_IR 126"
            ),
            entry("2", study="2", patient="2", PatientName=greek.encode("iso8859-7"), assumed="ISO_IR 126", offset=2),
            entry("3", study="3", patient="3", PatientName="Müller".encode("latin-1"), offset=3),
            entry("4", study="4", patient="4", PatientName=b"\xff\xfe\xc3", SpecificCharacterSet="NONSENSE", offset=4),
            entry("5", study="5", patient="5", PatientName=b"\xff\xfe", SpecificCharacterSet="ISO_IR 192", offset=5),
        ],
        [],
    )
    assert answers(catalog, Level.PATIENT, "PatientID", PatientName="ΠΑΠΑΔΟΠΟΥΛΟΣ*") == [("1",), ("2",)]
    assert answers(catalog, Level.PATIENT, "PatientID", PatientName="muller") == [("3",)]
    names = answers(catalog, Level.PATIENT, "PatientName")
    assert len(names) == 5
    assert names[:3] == [(greek,), (greek,), ("Müller",)]


def test_zones_move_dates_and_times_into_the_requests(catalog):
    catalog.add(
        [
            entry("1", study="1", StudyDate="20240101", StudyTime="233000", TimezoneOffsetFromUTC="+0000"),
            entry("2", study="2", StudyDate="20240102", StudyTime="003000", TimezoneOffsetFromUTC="+0100", offset=2),
            entry("3", study="3", StudyDate="20240101", StudyTime="233000", offset=3),
        ],
        [],
    )
    asked = "StudyInstanceUID StudyDate StudyTime"
    assert answers(catalog, Level.STUDY, asked, StudyDate="20240102", timezone="+0100") == [
        ("1", "20240102", "003000"),
        ("2", "20240102", "003000"),
    ]
    assert answers(catalog, Level.STUDY, "StudyInstanceUID", StudyDate="20240101") == [("1",), ("3",)]


@pytest.mark.parametrize(("asked", "told"), [("", ["+0000", "+0100", ""]), ("-0330", ["-0330", "-0330", ""])])
def test_the_zone_of_times_is_told_where_it_is_known(catalog, asked, told):
    catalog.add(
        [
            entry("1", study="1", StudyTime="233000", TimezoneOffsetFromUTC="+0000"),
            entry("2", study="2", StudyTime="003000", TimezoneOffsetFromUTC="+0100", offset=2),
            entry("3", study="3", StudyTime="233000", offset=3),
        ],
        [],
    )
    zone = tag_of("TimezoneOffsetFromUTC")
    page = catalog.find(Query(Level.STUDY, keys_of("StudyInstanceUID StudyTime"), timezone=asked))
    assert ["\\".join(match.get(zone, Attribute("SH")).values) for match in page.matches] == told
    page = catalog.find(Query(Level.STUDY, keys_of("StudyInstanceUID StudyDate"), timezone=asked))
    assert all(zone not in match for match in page.matches)  # nothing was told that has a zone


def test_a_search_ends_when_it_is_stopped(catalog):
    catalog.add([entry(f"1.{n}", offset=n) for n in range(1, 60)], [])
    words = iter([False] * 10 + [True] * 1000)
    page = catalog.find(Query(Level.IMAGE, keys_of("SOPInstanceUID")), lambda: next(words))
    assert (len(page.matches), page.truncated) == (10, True)
    words = iter([False] * 10 + [True])  # asked for each row that is looked at, not only for those that match
    page = catalog.find(Query(Level.IMAGE, keys_of(ImageComments="none")), lambda: next(words))
    assert (page.matches, page.truncated) == ([], True)


def test_a_combined_range_only_where_it_was_negotiated(hospital):
    keys = {"StudyDate": "20240101-20240301", "StudyTime": "0700-0900"}
    assert answers(hospital, Level.STUDY, "StudyInstanceUID", **keys) == [("1",)]
    assert answers(hospital, Level.STUDY, "StudyInstanceUID", combined=True, **keys) == [("1",), ("3",)]


def test_sequences_are_matched_and_told(catalog):
    item = bytes.fromhex("0800 0001 5348 0400") + b"LG01" + bytes.fromhex("0800 0401 4c4f 0400") + b"Head"
    raw = bytes.fromhex("feff 00e0") + len(item).to_bytes(4, "little") + item
    catalog.add([entry("1", ProcedureCodeSequence=raw), entry("2", study="2", offset=2)], [])
    for code, expected in (("LG*", [("1.2",)]), ("XX", [])):
        inner = {tag_of("CodeValue"): Attribute("SH", (code,))}
        assert answers(catalog, Level.STUDY, "StudyInstanceUID", ProcedureCodeSequence=inner) == expected
    keys = keys_of(ProcedureCodeSequence={tag_of("CodeMeaning"): Attribute("LO")})
    match = catalog.find(Query(Level.STUDY, keys)).matches[0]
    assert match[tag_of("ProcedureCodeSequence")].values == ({tag_of("CodeMeaning"): Attribute("LO", ("Head",))},)


HOSTILE = [
    "%",
    "_",
    "\\",
    "*" * 10_000,
    "*a" * 5_000,
    "?" * 10_000,
    "'",
    '"',
    "\0",
    "';--",
    "\ud800",
    "A" * 1_000_000,
    "[",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_b5_hostile_keys_find_nothing_that_they_do_not_name(hospital, text):
    universal = not text.strip("\0 ") or not text.strip("*")
    for keyword in (
        "PatientID",
        "PatientName",
        "AccessionNumber",
        "StudyDate",
        "ModalitiesInStudy",
        "StudyInstanceUID",
    ):
        found = answers(hospital, Level.STUDY, "StudyInstanceUID", **{keyword: text})
        assert len(found) == (3 if universal else 0)


def test_b5_a_list_of_one_hundred_thousand_uids(hospital):
    uids = [f"1.2.3.{n}" for n in range(99_998)] + ["1.1", "2"]
    assert answers(hospital, Level.STUDY, "StudyInstanceUID", StudyInstanceUID=uids) == [("2",)]
    assert answers(hospital, Level.IMAGE, "SOPInstanceUID", SOPInstanceUID=uids) == [("1.1",)]
    assert len(hospital.select(Selection(Level.IMAGE, sop_instance_uids=tuple(uids)))) == 1


def test_queries_are_limited_in_every_page_size(catalog):
    catalog.add([entry(f"1.{n}", series="1.2.1", offset=n, InstanceNumber=str(n)) for n in range(1500)], [])
    for limit in (1, 255, 256, 257, 1280, 1499):
        page = catalog.find(Query(Level.IMAGE, keys_of("SOPInstanceUID"), limit))
        assert (len(page.matches), page.truncated) == (limit, True)
    page = catalog.find(Query(Level.IMAGE, keys_of("SOPInstanceUID"), 1500))
    assert (len(page.matches), page.truncated) == (1500, False)
    page = catalog.find(Query(Level.IMAGE, keys_of(InstanceNumber="1400"), 1))
    assert (len(page.matches), page.truncated) == (1, False)


def test_header_values_that_lie_do_not_stop_a_store(catalog):
    odd = {
        "InstanceNumber": "9" * 400, "SeriesNumber": "x", "StudyDate": b"\xff" * 9,
        "PatientName": b"\x1b$B\xff^=\x00\x1b",
        "ProcedureCodeSequence": b"\xfe\xff\x00\xe0\xff\xff\xff\x7f", "Modality": b"\xc3", "StudyTime": "",
        "TimezoneOffsetFromUTC": "+9999", "SpecificCharacterSet": b"\\\xff\\ISO 2022 IR 87",
    }  # fmt: skip
    catalog.add([entry("1", patient="\ud800", study="1\0", **odd)], [])
    assert catalog.lookup("1") is not None
    asked = "PatientID PatientName StudyDate ProcedureCodeSequence Modality"
    assert len(answers(catalog, Level.SERIES, asked, timezone="+0100")) == 1


def test_caches_stay_bounded_and_forgetting_changes_nothing(catalog, monkeypatch):
    monkeypatch.setattr(catalog_writer, "MAX_REMEMBERED", 4)
    for n in range(60):
        catalog.add([entry(f"{n}", study=f"1.{n % 10}", patient=f"{n % 3}", offset=n)], [])
    assert len(catalog._writer._series) <= 4
    assert catalog.statistics()["instances"] == 60
    assert len(list(catalog.instances())) == 60
    assert catalog.statistics()["series"] == 30


def test_a_failed_add_leaves_nothing_and_the_next_one_works(catalog):
    class Broken:
        def __getattr__(self, name):
            raise RuntimeError(name)

    with pytest.raises(RuntimeError):
        catalog.add([entry("1"), Broken()], [])
    assert catalog.statistics()["patients"] == 0
    catalog.add([entry("1")], [])
    assert answers(catalog, Level.IMAGE, "SOPInstanceUID") == [("1",)]


# --- a model: every study as a dict, every key by the reference matcher, no SQL ------------------------------------

names = st.sampled_from(["Rossi^Maria", "ROSSI", "Müller^Jörg", "Muller^Jo", "Yamada=山田", "", "^Anna"])
stored_studies = st.lists(
    st.fixed_dictionaries(
        {
            "PatientName": names,
            "PatientID": st.sampled_from(["A", "AB", "A*", "a%", ""]),
            "StudyDate": st.sampled_from(["20240101", "20240102", "2024.01.03", "", "junk"]),
            "AccessionNumber": st.sampled_from(["1", "12", "", "1_"]),
            "Modality": st.sampled_from(["CT", "MR", ""]),
        }
    ),
    max_size=6,
)
queries = st.fixed_dictionaries(
    {},
    optional={
        "PatientName": st.sampled_from(["rossi", "Ross*", "*Maria", "muller*", "山田", "^anna", "?ossi", "*", "m*=*"]),
        "PatientID": st.sampled_from(["A", "A*", "?", "a%", "*", "A?", "Z"]),
        "StudyDate": st.sampled_from(["20240101", "20240102-", "-20240102", "20240101-20240103", "junk", "*"]),
        "AccessionNumber": st.sampled_from(["1", "1*", "1_", "*2", "?"]),
        "Modality": st.sampled_from(["CT", "M*", "C?"]),
    },
)


def expected(studies, query, level):
    """Indices of the studies that match; a patient's attributes are those of its first study."""
    firsts = {}
    result = []
    for number, study in enumerate(studies):
        name = firsts.setdefault(study["PatientID"] or number, study["PatientName"])
        seen = study | {"PatientName": name}
        if all(
            (predicate := compile_key(tag_of(key), Attribute(vr_of(tag_of(key)), (wanted,)))) is None
            or predicate(Attribute(vr_of(tag_of(key)), (seen[key],) if seen[key] else ()))
            for key, wanted in query.items()
            if key != "Modality" or level in (Level.SERIES, Level.IMAGE)
        ):
            result.append(f"9.{number}")
    return result


@settings(max_examples=60)
@given(stored_studies, queries, st.sampled_from([Level.STUDY, Level.SERIES, Level.IMAGE]))
def test_sql_and_model_agree(tmp_path_factory, studies, query, level):
    folder: Path = tmp_path_factory.mktemp("model")
    catalog = SqliteCatalog(folder / "catalog.db", KEY)
    entries = [
        entry(f"{n}.5", study=f"9.{n}", patient=study["PatientID"], offset=n, **UTF_8, **study)
        for n, study in enumerate(studies)
    ]  # fmt: skip
    catalog.add(entries, [])
    assert [uid for (uid,) in answers(catalog, level, "StudyInstanceUID", **query)] == expected(studies, query, level)
    catalog.close()


def test_names_of_the_index_are_those_of_the_matcher():
    assert name_groups("Müller^Jörg=山田") == ("muller^jorg", "山田")


FUZZY = ["maria rossi", "ROSSI", "ros mar", "Mar Ros", "ros*", "rossi^maria", "Márìa"]


@pytest.mark.parametrize("key", FUZZY)
def test_a_fuzzy_name_matches_by_beginnings_of_words_in_any_order(hospital, key):
    query = Query(Level.STUDY, keys_of("StudyInstanceUID", PatientName=key), fuzzy=True)
    found = hospital.find(query).matches
    assert [match[tag_of("StudyInstanceUID")].values for match in found] == [("1",), ("2",)]


@pytest.mark.parametrize("key", ["ossi", "rossi anna", "maria rossi x", "rossimaria"])
def test_a_fuzzy_name_needs_each_of_its_words(hospital, key):
    assert not hospital.find(Query(Level.STUDY, keys_of("StudyInstanceUID", PatientName=key), fuzzy=True)).matches


def test_a_fuzzy_umlaut_is_found_without_it(hospital):
    query = Query(Level.STUDY, keys_of("PatientName", PatientName="jorg mul"), fuzzy=True)
    assert [match[tag_of("PatientName")].values for match in hospital.find(query).matches] == [("Müller^Jörg",)]
