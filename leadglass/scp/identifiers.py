"""Identifiers of C-FIND, C-MOVE and C-GET: bytes to Query or Selection, and answers back to bytes (PS3.4 C.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from leadglass.core.attributes import Attribute, AttributeSet, Value
from leadglass.core.device import Device
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MAX_UID_LIST
from leadglass.core.query import Level, Query, Selection
from leadglass.dicom import uids
from leadglass.dicom.charset import TEXT_VRS, can_encode
from leadglass.dicom.values import read_attributes, write_attributes

SPECIFIC_CHARACTER_SET = 0x00080005
QUERY_RETRIEVE_LEVEL = 0x00080052
RETRIEVE_AE_TITLE = 0x00080054
TIMEZONE = 0x00080201
FAILED_SOP_INSTANCE_UID_LIST = 0x00080058
PATIENT_ID = 0x00100020
ISSUER_OF_PATIENT_ID = 0x00100021
STUDY_INSTANCE_UID = 0x0020000D
SERIES_INSTANCE_UID = 0x0020000E
SOP_INSTANCE_UID = 0x00080018
UTF_8 = "ISO_IR 192"

_CONTROL = frozenset({SPECIFIC_CHARACTER_SET, QUERY_RETRIEVE_LEVEL, RETRIEVE_AE_TITLE, TIMEZONE})
_STUDY_LEVELS = (Level.STUDY, Level.SERIES, Level.IMAGE)
_LEVELS: Mapping[str, tuple[Level, ...]] = {
    uids.PATIENT_ROOT_FIND: tuple(Level),
    uids.PATIENT_ROOT_MOVE: tuple(Level),
    uids.PATIENT_ROOT_GET: tuple(Level),
    uids.STUDY_ROOT_FIND: _STUDY_LEVELS,
    uids.STUDY_ROOT_MOVE: _STUDY_LEVELS,
    uids.STUDY_ROOT_GET: _STUDY_LEVELS,
}


@dataclass(frozen=True, slots=True)
class FindRequest:
    """A C-FIND identifier, understood: the query, the character sets to answer in, what was asked for."""

    query: Query
    character_sets: tuple[str, ...]
    asked: frozenset[int]


def find_request(
    data: bytes, sop_class: str, transfer_syntax: str, device: Device, *, combined_datetime: bool = False
) -> FindRequest:
    """Read a C-FIND identifier. INVALID_QUERY if it does not fit the SOP class, UNPARSABLE if it is no data set.

    `combined_datetime` as both sides negotiated it.
    """
    attributes = read_attributes(data, transfer_syntax, device.character_set)
    level = _level(attributes, sop_class)
    keys = {tag: value for tag, value in attributes.items() if tag not in _CONTROL and tag & 0xFFFF}
    query = Query(level, keys, device.query_limit, 0, _single(attributes, TIMEZONE), combined_datetime)
    declared = _texts(attributes, SPECIFIC_CHARACTER_SET)
    preferred = tuple(dict.fromkeys(("\\".join(declared) if declared else "", device.character_set, UTF_8)))
    return FindRequest(query, preferred, frozenset(keys))


def answer_bytes(match: AttributeSet, request: FindRequest, ae_title: str, transfer_syntax: str) -> bytes:
    """One pending answer: the match, its level, where to retrieve it, in the first character set that can carry it.

    What no character set may carry there (a code that is not ASCII, an escape) is told as "?": objects that hold such
    values are found like others.
    """
    attributes = {tag: _tellable(attribute) for tag, attribute in match.items()}
    attributes[QUERY_RETRIEVE_LEVEL] = Attribute("CS", (request.query.level.value,))
    attributes[RETRIEVE_AE_TITLE] = Attribute("AE", (ae_title,))
    fitting = next((name for name in request.character_sets if _carries(attributes, name)), UTF_8)
    if fitting:
        attributes[SPECIFIC_CHARACTER_SET] = Attribute("CS", tuple(fitting.split("\\")))
    return write_attributes(dict(sorted(attributes.items())), transfer_syntax, fitting)


def unsupported(request: FindRequest, match: AttributeSet) -> bool:
    """Whether the peer asked for attributes that this archive does not answer (pending status 0xFF01)."""
    return not request.asked <= match.keys()


def selection_of(data: bytes, sop_class: str, transfer_syntax: str, device: Device) -> Selection:
    """Read a C-MOVE or C-GET identifier. INVALID_QUERY if the level's unique key is missing (PS3.4 C.4.2.2.1)."""
    attributes = read_attributes(data, transfer_syntax, device.character_set)
    level = _level(attributes, sop_class)
    issuer = _single(attributes, ISSUER_OF_PATIENT_ID) or None
    selection = Selection(
        level,
        _single(attributes, PATIENT_ID),
        issuer,
        _uid_list(attributes, STUDY_INSTANCE_UID),
        _uid_list(attributes, SERIES_INSTANCE_UID),
        _uid_list(attributes, SOP_INSTANCE_UID),
    )
    needed = {
        Level.PATIENT: (bool(selection.patient_id), PATIENT_ID),
        Level.STUDY: (bool(selection.study_uids), STUDY_INSTANCE_UID),
        Level.SERIES: (bool(selection.series_uids), SERIES_INSTANCE_UID),
        Level.IMAGE: (bool(selection.sop_instance_uids), SOP_INSTANCE_UID),
    }
    present, tag = needed[level]
    if not present:
        raise LeadglassError(ErrorCode.INVALID_QUERY, "The unique key of the level is missing.", tags=(tag,))
    return selection


def failed_list(uids_: list[str], transfer_syntax: str) -> bytes:
    """The data set of a final response: Failed SOP Instance UID List (0008,0058)."""
    return write_attributes({FAILED_SOP_INSTANCE_UID_LIST: Attribute("UI", tuple(uids_))}, transfer_syntax, "")


def _level(attributes: AttributeSet, sop_class: str) -> Level:
    text = _single(attributes, QUERY_RETRIEVE_LEVEL)
    for level in _LEVELS[sop_class]:
        if level.value == text:
            return level
    comment = "Query/Retrieve Level is missing or not one of this model's."
    raise LeadglassError(ErrorCode.INVALID_QUERY, comment, tags=(QUERY_RETRIEVE_LEVEL,))


def _uid_list(attributes: AttributeSet, tag: int) -> tuple[str, ...]:
    found = tuple(text for text in _texts(attributes, tag) if text)
    if len(found) > MAX_UID_LIST:
        raise LeadglassError(ErrorCode.INVALID_QUERY, "Too many UIDs in one key.", tags=(tag,))
    if any(set(text) & set("*?") for text in found):
        raise LeadglassError(ErrorCode.INVALID_QUERY, "A UID cannot hold a wildcard.", tags=(tag,))
    return found


def _texts(attributes: AttributeSet, tag: int) -> tuple[str, ...]:
    attribute = attributes.get(tag)
    return tuple(value for value in attribute.values if isinstance(value, str)) if attribute else ()


def _single(attributes: AttributeSet, tag: int) -> str:
    texts = _texts(attributes, tag)
    return texts[0] if texts else ""


def _tellable(attribute: Attribute) -> Attribute:
    values = tuple(_tellable_value(attribute.vr, value) for value in attribute.values)
    return attribute if values == attribute.values else Attribute(attribute.vr, values)


def _tellable_value(vr: str, value: Value) -> Value:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        return {tag: _tellable(attribute) for tag, attribute in value.items()}
    if value.isascii() and "\x1b" not in value:
        return value
    told = value.replace("\x1b", "?")
    return told if vr in TEXT_VRS else told.encode("ascii", "replace").decode("ascii")


def _carries(attributes: AttributeSet, character_set: str) -> bool:
    sets = tuple(character_set.split("\\"))
    return all(_fits(attribute, sets) for attribute in attributes.values())


def _fits(attribute: Attribute, sets: tuple[str, ...]) -> bool:
    for value in attribute.values:
        if isinstance(value, str):
            if not value.isascii() and not can_encode(value, sets, attribute.vr):
                return False
        elif not isinstance(value, bytes) and not all(_fits(inner, sets) for inner in value.values()):
            return False
    return True
