"""The list of studies: found by the beginnings of words whatever their order, case and accents, newest first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from index_samples import entry

from leadglass.core.listing import MAX_COUNTED, StudyOrder, StudySearch
from leadglass.core.reach import EVERYTHING, NOTHING, Reach
from leadglass.dicom.dictionary import tag_of
from leadglass.index.catalog import SqliteCatalog
from leadglass.index.study_list import day_of
from leadglass.index.study_words import words

UID = tag_of("StudyInstanceUID")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    opened = SqliteCatalog(tmp_path / "catalog.db", bytes(32))
    yield opened
    opened.close()


def put(catalog: SqliteCatalog, number: int, **values: object) -> None:
    given = {"PatientName": "Rossi^Maria", "StudyDate": "20240517", "AccessionNumber": f"A-{number:03}", **values}
    patient = given.pop("patient", f"P{number}")
    catalog.add([entry(f"1.2.{number}.1", study=f"1.2.{number}", patient=patient, offset=number, **given)], [])


def found(catalog: SqliteCatalog, text: str = "", **fields: object) -> list[str]:
    page = catalog.list_studies(StudySearch(text, **fields))  # type: ignore[arg-type]
    return [str(match[UID].values[0]) for match in page.matches]


@pytest.mark.parametrize(
    "text",
    ["rossi", "ROS", "maria rossi", "mar ros", "rossi maria ct", "p7", "a 007", "A-007", "a007", "tho ct", "2024",
     "2024-05", "17.05.2024", "17/5/2024", "5/2024", "20240517", "2024-05-17", "rossi 2024-05-01..2024-05-31",
     "20240501-20240531", "..2024-05-17 rossi", "2024..", "2024..2024", "Róssi", "ro*si".replace("*", "s")],
)  # fmt: skip
def test_one_field_understands_all(catalog: SqliteCatalog, text: str) -> None:
    put(catalog, 7, StudyDescription="CT Thorax")
    put(catalog, 8, PatientName="Verdi^Anna", StudyDate="19990101", Modality="MR", StudyDescription="Knee")
    assert found(catalog, text) == ["1.2.7"]


@pytest.mark.parametrize(
    "text", ["ossi", "maria verdi", "2023", "16.05.2024", "2024-06..", "mr", "rossi anna", "'", "''--x"]
)
def test_what_does_not_fit_is_not_found(catalog: SqliteCatalog, text: str) -> None:
    put(catalog, 7, StudyDescription="CT Thorax")
    assert found(catalog, text) == ([] if words(text) else ["1.2.7"])


def test_accents_and_scripts_are_folded_in_what_is_stored_too(catalog: SqliteCatalog) -> None:
    put(catalog, 1, PatientName="Žižková^Šárka=Θεοδώρα")
    for text in ("zizkova", "SARKA", "θεοδωρα", "θεοδ"):
        assert found(catalog, text) == ["1.2.1"]


@pytest.mark.parametrize(
    "fields",
    [{"name": "ross"}, {"patient_id": "p7"}, {"accession": "A-007"}, {"description": "thor"},
     {"modalities": ("CT", "US")}, {"since": "20240517"}, {"until": "20240517", "since": "20240101"}],
)  # fmt: skip
def test_filters_look_at_their_own_field(catalog: SqliteCatalog, fields: dict[str, object]) -> None:
    put(catalog, 7, StudyDescription="Thorax")
    put(catalog, 8, PatientName="Thorax^P7", StudyDescription="Ross", StudyDate="20230101", Modality="MR")
    assert found(catalog, **fields) == ["1.2.7"]


@pytest.mark.parametrize(
    "text", ['"', '" OR name : "x', "name : x", "NEAR(a b)", "*", "(", "-", "\0", "\ud800", "a" * 5000]
)
def test_no_text_becomes_a_question_of_its_own(catalog: SqliteCatalog, text: str) -> None:
    put(catalog, 1)
    found(catalog, text)
    found(catalog, name=text, patient_id=text, accession=text, description=text, modalities=(text,))


def test_newest_first_pages_and_what_is_said_of_more(catalog: SqliteCatalog) -> None:
    for number in range(1, 8):
        put(catalog, number, StudyDate=f"2024010{number}")
    put(catalog, 9, StudyDate=None)
    page = catalog.list_studies(StudySearch(limit=3))
    assert [str(match[UID].values[0]) for match in page.matches] == ["1.2.7", "1.2.6", "1.2.5"]
    assert (page.count, page.counted, page.more) == (8, True, True)
    assert found(catalog, offset=6) == ["1.2.1", "1.2.9"]
    assert found(catalog, order=StudyOrder.OLDEST)[:2] == ["1.2.9", "1.2.1"]


def test_by_name(catalog: SqliteCatalog) -> None:
    for number, name in enumerate(("Verdi^Anna", "bianchi^Ugo", "Álvarez^Eva"), 1):
        put(catalog, number, PatientName=name)
    put(catalog, 4, patient="P2", PatientName="bianchi^Ugo", StudyDate="20200101")
    assert found(catalog, order=StudyOrder.NAME) == ["1.2.3", "1.2.2", "1.2.4", "1.2.1"]


def test_it_is_counted_to_a_bound(catalog: SqliteCatalog) -> None:
    many = [
        entry(f"1.3.{n}.1", study=f"1.3.{n}", patient=f"P{n}", offset=n, PatientName="Many")
        for n in range(MAX_COUNTED + 5)
    ]
    catalog.add(many, [])
    page = catalog.list_studies(StudySearch("many"))
    assert (page.count, page.counted, page.more, len(page.matches)) == (MAX_COUNTED, False, True, 50)
    assert catalog.list_studies(StudySearch(order=StudyOrder.NAME)).partial


def test_only_what_is_within_reach_is_found_or_counted(catalog: SqliteCatalog) -> None:
    for number in range(1, 5):
        put(catalog, number, ReferringPhysicianName="Bianchi^Ugo" if number == 3 else "Neri^Pia")
    reaches = {
        Reach(studies=frozenset({"1.2.2"})): ["1.2.2"],
        Reach(patients=frozenset({("", "P4")})): ["1.2.4"],
        Reach(patients=frozenset({("elsewhere", "P4")})): [],
        Reach(referring=frozenset({"bianchi^ugo"})): ["1.2.3"],
        Reach(studies=frozenset({"1.2.2"}), patients=frozenset({("", "P4")})): ["1.2.4", "1.2.2"],
        EVERYTHING.narrowed(frozenset({"1.2.2"})): ["1.2.2"],
        Reach(studies=frozenset(f"9.{n}" for n in range(900)) | {"1.2.1"}): ["1.2.1"],
        NOTHING: [],
    }
    for reach, expected in reaches.items():
        for text in ("", "rossi"):
            page = catalog.list_studies(StudySearch(text, reach=reach))
            assert [str(match[UID].values[0]) for match in page.matches] == expected, reach
            assert page.count == len(expected)


def test_nobody_finds_by_what_the_reach_is_sealed_with(catalog: SqliteCatalog) -> None:
    put(catalog, 1, patient="X1", PatientName="Neri^Maria", ReferringPhysicianName="Bianchi^Ugo")
    for letter in "irup":
        assert found(catalog, letter) == []


def test_the_trash_is_left_out_and_comes_back(catalog: SqliteCatalog) -> None:
    put(catalog, 1)
    catalog.set_trashed("1.2.1", True)
    assert found(catalog) == found(catalog, "rossi") == []
    catalog.set_trashed("1.2.1", False)
    assert found(catalog, "rossi") == ["1.2.1"]


def test_a_further_series_adds_its_modality(catalog: SqliteCatalog) -> None:
    put(catalog, 1)
    catalog.add(
        [
            entry(
                "1.2.1.2.1",
                study="1.2.1",
                series="1.2.1.2",
                patient="P1",
                offset=50,
                Modality="SR",
                PatientName="Rossi",
            )
        ],
        [],
    )
    assert found(catalog, modalities=("SR",)) == found(catalog, modalities=("CT",)) == ["1.2.1"]
    assert found(catalog) == ["1.2.1"]


def test_what_was_cleared_is_not_found(catalog: SqliteCatalog) -> None:
    put(catalog, 1)
    catalog.clear()
    assert found(catalog) == found(catalog, "rossi") == []
    put(catalog, 1)
    assert found(catalog, "rossi") == ["1.2.1"]


def test_an_older_catalog_is_listed_when_it_is_opened(tmp_path: Path) -> None:
    first = SqliteCatalog(tmp_path / "catalog.db", bytes(32))
    put(first, 1)
    put(first, 2)
    with first._engine.write() as connection:
        for sql in ("INSERT INTO study_words (study_words) VALUES ('delete-all')", "DELETE FROM listed"):
            connection.execute(sql)
        connection.execute("INSERT INTO unlisted SELECT id FROM studies")
    assert found(first) == []
    first.close()
    again = SqliteCatalog(tmp_path / "catalog.db", bytes(32))
    assert found(again, "rossi") == ["1.2.2", "1.2.1"]
    again.close()


def test_long_and_hostile_values_are_listed(catalog: SqliteCatalog) -> None:
    put(catalog, 1, PatientName="A" * 10_000 + "^" + "b " * 5000, StudyDescription="<script>alert(1)</script> '); DROP")
    assert found(catalog, "script alert") == found(catalog, "aaaa") == ["1.2.1"]


@pytest.mark.parametrize(
    ("text", "day"),
    [("2024", "2024"), ("2024-5", ""), ("2024-05", "202405"), ("1.2.2024", "20240201"), ("x", ""), ("", "")],
)
def test_dates_as_people_write_them(text: str, day: str) -> None:
    assert day_of(text) == day
