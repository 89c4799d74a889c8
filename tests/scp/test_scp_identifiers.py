"""Identifiers of queries and retrievals: levels, keys, and the character set of the answers."""

import pytest

from leadglass.core.attributes import Attribute
from leadglass.core.device import Device
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MAX_UID_LIST
from leadglass.core.query import Level
from leadglass.dicom import uids
from leadglass.dicom.values import read_attributes, write_attributes
from leadglass.scp.identifiers import answer_bytes, failed_list, find_request, selection_of, unsupported

DEVICE = Device("ws", ("WS",), ("127.0.0.1/32",), frozenset(), query_limit=7)
SYNTAX = uids.EXPLICIT_VR_LE
LEVEL, NAME, PATIENT_ID, STUDY, SERIES, INSTANCE = (
    0x00080052,
    0x00100010,
    0x00100020,
    0x0020000D,
    0x0020000E,
    0x00080018,
)
CHARACTER_SET, TIMEZONE, FAILED, RETRIEVE_AT = 0x00080005, 0x00080201, 0x00080058, 0x00080054
UI_KEYS = (STUDY, SERIES, INSTANCE)


def identifier(level, keys=(), character_set="", syntax=SYNTAX):
    attributes = {LEVEL: Attribute("CS", (level,))} if level is not None else {}
    attributes |= dict(keys)
    return write_attributes(dict(sorted(attributes.items())), syntax, character_set)


def uid_key(tag, *values):
    return {tag: Attribute("UI", values)}


def refused(call, *args):
    with pytest.raises(LeadglassError) as caught:
        call(*args)
    return caught.value.code, caught.value.tags


def find(level, keys=(), sop_class=uids.STUDY_ROOT_FIND, character_set="", device=DEVICE):
    return find_request(identifier(level, keys, character_set), sop_class, SYNTAX, device)


def select(level, keys=(), sop_class=uids.STUDY_ROOT_MOVE):
    return selection_of(identifier(level, keys), sop_class, SYNTAX, DEVICE)


@pytest.mark.parametrize("sop_class", [uids.PATIENT_ROOT_FIND, uids.STUDY_ROOT_FIND])
@pytest.mark.parametrize("level", Level)
def test_levels_of_each_model(sop_class, level):
    if sop_class == uids.STUDY_ROOT_FIND and level is Level.PATIENT:
        assert refused(find, "PATIENT", (), sop_class) == (ErrorCode.INVALID_QUERY, (LEVEL,))
    else:
        assert find(level.value, (), sop_class).query.level is level


@pytest.mark.parametrize("level", [None, "", "study", "WORKLIST", "FRAME"])
def test_a_level_that_is_none(level):
    assert refused(find, level) == (ErrorCode.INVALID_QUERY, (LEVEL,))
    assert refused(select, level) == (ErrorCode.INVALID_QUERY, (LEVEL,))


@pytest.mark.parametrize("syntax", [uids.IMPLICIT_VR_LE, uids.EXPLICIT_VR_LE, uids.EXPLICIT_VR_BE])
def test_keys_are_what_was_asked_without_control_elements(syntax):
    keys = {
        NAME: Attribute("PN", ("Ro*",)),
        PATIENT_ID: Attribute("LO", ()),
        RETRIEVE_AT: Attribute("AE", ()),
        TIMEZONE: Attribute("SH", ("+0100",)),
    }
    request = find_request(identifier("STUDY", keys, "", syntax), uids.STUDY_ROOT_FIND, syntax, DEVICE)
    assert request.asked == {NAME, PATIENT_ID}
    assert request.query.keys[NAME].values == ("Ro*",)
    assert request.query.keys[PATIENT_ID].values == ()
    assert (request.query.timezone, request.query.limit) == ("+0100", 7)


def test_group_lengths_are_no_keys():
    data = b"\x08\0\0\0UL\x04\0\x0e\0\0\0" + identifier("STUDY", {PATIENT_ID: Attribute("LO", ("X",))})
    assert find_request(data, uids.STUDY_ROOT_FIND, SYNTAX, DEVICE).asked == {PATIENT_ID}


@pytest.mark.parametrize("cut", [1, 5, 9, 11])
def test_an_identifier_cut_short_is_unparsable(cut):
    data = identifier("STUDY", {PATIENT_ID: Attribute("LO", ("SOMEBODY",))})
    assert refused(find_request, data[:-cut], uids.STUDY_ROOT_FIND, SYNTAX, DEVICE)[0] is ErrorCode.UNPARSABLE


@pytest.mark.parametrize(
    ("declared", "assumed", "name", "answered"),
    [
        ("ISO_IR 100", "ISO_IR 100", "Müller^Jörg", "ISO_IR 100"),
        ("ISO_IR 192", "ISO_IR 100", "Müller^Jörg", "ISO_IR 192"),
        ("", "ISO_IR 100", "Müller^Jörg", "ISO_IR 100"),
        ("", "ISO_IR 144", "Müller^Jörg", "ISO_IR 192"),
        ("ISO_IR 100", "ISO_IR 144", "Иванов", "ISO_IR 144"),
        ("ISO_IR 100", "ISO_IR 144", "山田", "ISO_IR 192"),
        ("ISO 2022 IR 6\\ISO 2022 IR 87", "ISO_IR 100", "山田", "ISO 2022 IR 6\\ISO 2022 IR 87"),
        ("ISO_IR 999", "ISO_IR 100", "山田", "ISO_IR 192"),
    ],
)
def test_answers_are_in_the_first_character_set_that_can_carry_them(declared, assumed, name, answered):
    device = Device("ws", ("WS",), ("127.0.0.1/32",), frozenset(), character_set=assumed)
    keys = {NAME: Attribute("PN", ())}
    if declared:
        keys[CHARACTER_SET] = Attribute("CS", tuple(declared.split("\\")))
    request = find("STUDY", keys, character_set=declared, device=device)
    data = answer_bytes({NAME: Attribute("PN", (name,))}, request, "ARCHIVE", SYNTAX)
    read = read_attributes(data, SYNTAX)
    assert "\\".join(read[CHARACTER_SET].values) == answered
    assert read[NAME].values == (name,)


def test_an_ascii_answer_to_an_ascii_request_declares_no_set():
    request = find("STUDY", {NAME: Attribute("PN", ())})
    data = answer_bytes({NAME: Attribute("PN", ("Doe^J",))}, request, "ARCHIVE", SYNTAX)
    read = read_attributes(data, SYNTAX)
    assert CHARACTER_SET not in read
    assert read[LEVEL].values == ("STUDY",)
    assert read[RETRIEVE_AT].values == ("ARCHIVE",)


def test_names_inside_sequences_count_for_the_character_set():
    inner = {NAME: Attribute("PN", ("山田",))}
    request = find("STUDY", {0x00321064: Attribute("SQ", ())})
    data = answer_bytes({0x00321064: Attribute("SQ", (inner,))}, request, "ARCHIVE", SYNTAX)
    read = read_attributes(data, SYNTAX)
    assert read[CHARACTER_SET].values == ("ISO_IR 192",)
    assert read[0x00321064].values[0][NAME].values == ("山田",)


def test_what_is_not_answered_is_told():
    request = find("STUDY", {NAME: Attribute("PN", ()), 0x00104000: Attribute("LT", ())})
    assert unsupported(request, {NAME: Attribute("PN", ("x",))})
    assert not unsupported(request, {NAME: Attribute("PN", ("x",)), 0x00104000: Attribute("LT", ())})


@pytest.mark.parametrize(
    ("level", "tag"), [("PATIENT", PATIENT_ID), ("STUDY", STUDY), ("SERIES", SERIES), ("IMAGE", INSTANCE)]
)
def test_the_unique_key_of_the_level_must_be_there(level, tag):
    assert refused(select, level, (), uids.PATIENT_ROOT_MOVE) == (ErrorCode.INVALID_QUERY, (tag,))
    empty = {tag: Attribute("LO" if tag == PATIENT_ID else "UI", ())}
    assert refused(select, level, empty, uids.PATIENT_ROOT_MOVE) == (ErrorCode.INVALID_QUERY, (tag,))


def test_a_selection_has_lists_of_uids_and_the_levels_above():
    keys = uid_key(STUDY, "1.2") | uid_key(SERIES, "1.2.1", "1.2.2")
    found = select("SERIES", keys)
    assert (found.level, found.study_uids, found.series_uids) == (Level.SERIES, ("1.2",), ("1.2.1", "1.2.2"))
    relational = select("IMAGE", uid_key(INSTANCE, "1.2.1.1"))
    assert (relational.study_uids, relational.sop_instance_uids) == ((), ("1.2.1.1",))


def test_a_patient_with_its_issuer():
    keys = {PATIENT_ID: Attribute("LO", ("P1",)), 0x00100021: Attribute("LO", ("WARD",))}
    found = select("PATIENT", keys, uids.PATIENT_ROOT_GET)
    assert (found.patient_id, found.issuer) == ("P1", "WARD")
    assert select("PATIENT", {PATIENT_ID: Attribute("LO", ("P1",))}, uids.PATIENT_ROOT_GET).issuer is None


@pytest.mark.parametrize("tag", UI_KEYS)
@pytest.mark.parametrize("value", ["*", "1.2.*", "1.2.?"])
def test_no_retrieval_by_wildcard(tag, value):
    level = {STUDY: "STUDY", SERIES: "SERIES", INSTANCE: "IMAGE"}[tag]
    assert refused(select, level, uid_key(tag, value)) == (ErrorCode.INVALID_QUERY, (tag,))


def test_a_list_of_uids_has_its_bound():
    data = identifier("STUDY", uid_key(STUDY, *["1.2"] * (MAX_UID_LIST + 1)), "", uids.IMPLICIT_VR_LE)
    code = refused(selection_of, data, uids.STUDY_ROOT_MOVE, uids.IMPLICIT_VR_LE, DEVICE)
    assert code == (ErrorCode.INVALID_QUERY, (STUDY,))


@pytest.mark.parametrize("syntax", [uids.IMPLICIT_VR_LE, uids.EXPLICIT_VR_LE, uids.EXPLICIT_VR_BE])
def test_a_failed_list_longer_than_a_short_value(syntax):
    failed = [f"1.2.826.0.1.3680043.{number}" for number in range(5000)]
    read = read_attributes(failed_list(failed, syntax), syntax)
    assert list(read[FAILED].values) == failed
