"""Query strings of searches, as clients write them and as they should not."""

from __future__ import annotations

import pytest

from leadglass.core.attributes import Attribute
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import DEFAULT_QUERY_LIMIT
from leadglass.core.query import Level
from leadglass.dicom.dictionary import tag_of
from leadglass.web.search_request import search_request

NAME, PATIENT_ID, STUDY, MODALITIES = map(tag_of, ("PatientName", "PatientID", "StudyInstanceUID", "ModalitiesInStudy"))


def keys(*parameters, level=Level.STUDY, study=None, series=None):
    return search_request(level, study, series, parameters).query.keys


@pytest.mark.parametrize("name", ["PatientID", "00100020"])
def test_a_key_is_a_keyword_or_a_tag(name: str) -> None:
    assert keys((name, "A*"))[PATIENT_ID] == Attribute("LO", ("A*",))


@pytest.mark.parametrize("value", ["1.2,1.3", "1.2\\1.3", "1.2,,1.3,"])
def test_uids_are_listed_with_commas_or_backslashes(value: str) -> None:
    assert keys(("StudyInstanceUID", value))[STUDY].values == ("1.2", "1.3")


def test_a_comma_in_a_name_is_part_of_it() -> None:
    assert keys(("PatientName", "Rossi, Maria"))[NAME].values == ("Rossi, Maria",)


@pytest.mark.parametrize(
    "name",
    ["RequestAttributesSequence.ScheduledProcedureStepID", "00400275.00400009", "00400275.ScheduledProcedureStepID"],
)
def test_a_dot_leads_into_a_sequence(name: str) -> None:
    (item,) = keys((name, "S1"), level=Level.SERIES)[0x00400275].values
    assert item == {0x00400009: Attribute("SH", ("S1",))}


def test_two_keys_of_one_sequence_stand_in_one_item() -> None:
    pairs = (("00400275.00400009", "S1"), ("00400275.00401001", "R1"))
    (item,) = keys(*pairs, level=Level.SERIES)[0x00400275].values
    assert set(item) == {0x00400009, 0x00401001}


def test_the_path_goes_before_the_query_string() -> None:
    assert keys(("StudyInstanceUID", "9"), level=Level.SERIES, study="1.2")[STUDY].values == ("1.2",)


def test_includefield_adds_attributes_and_all_adds_the_levels_own() -> None:
    assert tag_of("MedicalAlerts") not in keys()
    assert tag_of("MedicalAlerts") in keys(("includefield", "MedicalAlerts,00100021"))
    assert {tag_of("MedicalAlerts"), NAME} <= keys(("includefield", "all")).keys()
    assert tag_of("KVP") in keys(("includefield", "all"), level=Level.IMAGE, study="1", series="2")


def test_levels_above_are_told_where_the_path_does_not_name_them() -> None:
    assert NAME in keys(level=Level.SERIES)
    assert NAME not in keys(level=Level.SERIES, study="1")
    assert MODALITIES in keys(level=Level.IMAGE)


def test_limit_and_offset_are_bounded() -> None:
    plain = search_request(Level.STUDY, None, None, [])
    assert (plain.query.limit, plain.query.offset, plain.capped) == (DEFAULT_QUERY_LIMIT, 0, True)
    small = search_request(Level.STUDY, None, None, [("limit", "5"), ("offset", "7"), ("fuzzymatching", "true")])
    assert (small.query.limit, small.query.offset, small.capped, small.query.fuzzy) == (5, 7, False, True)
    huge = search_request(Level.STUDY, None, None, [("limit", "999999999")])
    assert (huge.query.limit, huge.capped) == (DEFAULT_QUERY_LIMIT, True)


@pytest.mark.parametrize(
    "pair",
    [("limit", "-1"), ("limit", "x"), ("limit", "１"), ("offset", "9" * 19), ("offset", "99999999"),
     ("Foo", "1"), ("", "1"),
     ("fuzzymatching", "1"), ("00100020.", "1"), (".".join(["00400275"] * 70), "1"),
     ("StudyInstanceUID", "1," * 200_000)],
)  # fmt: skip
def test_what_nobody_can_mean_is_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(LeadglassError) as caught:
        keys(pair)
    assert caught.value.code is ErrorCode.INVALID_QUERY


def test_a_flood_of_parameters_is_refused() -> None:
    with pytest.raises(LeadglassError):
        keys(*[("PatientID", str(number)) for number in range(257)])
