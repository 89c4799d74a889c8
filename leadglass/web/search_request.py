"""What a search transaction asks for (PS3.18 8.3.4, 10.6.1): path and query string to core.query.Query.

Keys are tags or keywords, nested with dots; a list of UIDs is separated by commas or backslashes. What the archive
does not match on is told in `ignored`, never silently dropped; what nobody could mean is INVALID_QUERY.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from leadglass.core.attributes import Attribute, AttributeSet
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import DEFAULT_QUERY_LIMIT, MAX_NESTING, MAX_UID_LIST
from leadglass.core.query import Level, Query
from leadglass.dicom import index_keys
from leadglass.dicom.dictionary import tag_of, vr_of

MAX_PARAMETERS: Final = 256  # names and values of one query string; a search form has a dozen
MAX_OFFSET: Final = 10_000_000

_STUDY_UID, _SERIES_UID = tag_of("StudyInstanceUID"), tag_of("SeriesInstanceUID")


def _tags(keywords: str) -> tuple[int, ...]:
    return tuple(tag_of(keyword) for keyword in keywords.split())


# What every answer holds (PS3.18 tables 10.6.3-3 to 10.6.3-5).
_PATIENT_RETURNED: Final = _tags("PatientName PatientID IssuerOfPatientID PatientBirthDate PatientSex")
_RETURNED: Final[Mapping[Level, tuple[int, ...]]] = {
    Level.STUDY: _PATIENT_RETURNED
    + _tags("""StudyDate StudyTime AccessionNumber InstanceAvailability ModalitiesInStudy ReferringPhysicianName
            TimezoneOffsetFromUTC StudyInstanceUID StudyID StudyDescription NumberOfStudyRelatedSeries
            NumberOfStudyRelatedInstances"""),
    Level.SERIES: _tags("""Modality TimezoneOffsetFromUTC SeriesDescription SeriesInstanceUID SeriesNumber
            NumberOfSeriesRelatedInstances PerformedProcedureStepStartDate PerformedProcedureStepStartTime
            RequestAttributesSequence"""),
    Level.IMAGE: _tags("""SOPClassUID SOPInstanceUID InstanceAvailability TimezoneOffsetFromUTC InstanceNumber Rows
            Columns BitsAllocated NumberOfFrames"""),
}
_ALL: Final[Mapping[Level, tuple[int, ...]]] = {
    Level.STUDY: index_keys.PATIENT_KEYS + index_keys.STUDY_KEYS,
    Level.SERIES: index_keys.SERIES_KEYS,
    Level.IMAGE: index_keys.IMAGE_KEYS,
}
_ABOVE: Final[Mapping[Level, tuple[Level, ...]]] = {
    Level.STUDY: (Level.STUDY,),
    Level.SERIES: (Level.SERIES, Level.STUDY),
    Level.IMAGE: (Level.IMAGE, Level.SERIES, Level.STUDY),
}


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A search, understood. `capped` says that the archive's own limit counts, not one that was asked for."""

    query: Query
    capped: bool


def search_request(
    level: Level, study: str | None, series: str | None, parameters: Iterable[tuple[str, str]]
) -> SearchRequest:
    """The search of `level` below the study and series of the path (None: in all of them).

    LeadglassError INVALID_QUERY with a sentence that says what is wrong.
    """
    given = list(parameters)
    if len(given) > MAX_PARAMETERS:
        raise _wrong("The query string has too many parameters")
    controls: dict[str, list[str]] = {"limit": [], "offset": [], "fuzzymatching": [], "includefield": []}
    keys = {tag: Attribute(vr_of(tag)) for tag in _returned(level, study, series)}
    for name, value in given:
        if name in controls:
            controls[name].append(value)
        else:
            _add(keys, _path(name), value)
    for value in controls["includefield"]:
        for name in value.split(","):
            _include(keys, name.strip(), level)
    for tag, uid in ((_STUDY_UID, study), (_SERIES_UID, series)):
        if uid is not None:
            keys[tag] = Attribute("UI", (uid,))
    wanted = _number(controls["limit"], "limit", DEFAULT_QUERY_LIMIT)
    limit = min(wanted, DEFAULT_QUERY_LIMIT)
    offset = _number(controls["offset"], "offset", 0)
    if offset > MAX_OFFSET:
        raise _wrong("offset is too large")
    query = Query(level, dict(sorted(keys.items())), limit, offset, fuzzy=_truth(controls["fuzzymatching"]))
    return SearchRequest(query, not controls["limit"] or wanted > limit)


def _returned(level: Level, study: str | None, series: str | None) -> list[int]:
    """The attributes of the level, and of those above it that the path does not name (PS3.18 10.6.3.3)."""
    tags = list(_RETURNED[level])
    if level is Level.IMAGE and series is None:
        tags += _RETURNED[Level.SERIES]
    if level is not Level.STUDY and study is None:
        tags += _RETURNED[Level.STUDY]
    if level is not Level.STUDY:
        tags.append(_STUDY_UID)
    if level is Level.IMAGE:
        tags.append(_SERIES_UID)
    return tags


def _path(name: str) -> tuple[int, ...]:
    """Tags of a key such as PatientID, 00100020 or RequestAttributesSequence.ScheduledProcedureStepID."""
    parts = name.split(".")
    if len(parts) > MAX_NESTING:
        raise _wrong("A key is nested too deep")
    return tuple(_tag(part) for part in parts)


def _tag(name: str) -> int:
    if len(name) == 8:
        try:
            return int(name, 16)
        except ValueError:
            pass
    try:
        return tag_of(name)
    except KeyError:
        controls = "limit, offset, fuzzymatching, includefield"
        raise _wrong(f"A parameter is neither an attribute nor one of {controls}") from None


def _add(keys: dict[int, Attribute], path: tuple[int, ...], text: str) -> None:
    """Put a matching key at `path`; a key that is given again takes any of its values."""
    tag, rest = path[0], path[1:]
    known = keys.get(tag)
    if rest:
        inner: dict[int, Attribute] = dict(_item(known))
        _add(inner, rest, text)
        keys[tag] = Attribute("SQ", (inner,))
        return
    vr = vr_of(tag)
    before = known.values if known else ()
    keys[tag] = Attribute(vr, (*before, *_values(vr, text)))


def _item(known: Attribute | None) -> AttributeSet:
    first = known.values[0] if known and known.values else {}
    return {} if isinstance(first, str | bytes) else first


def _values(vr: str, text: str) -> tuple[str, ...]:
    if vr == "UI":
        found = tuple(uid for uid in text.replace("\\", ",").split(",") if uid)
        if len(found) > MAX_UID_LIST:
            raise _wrong("A list of UIDs is too long")
        return found
    return tuple(text.split("\\")) if text else ()


def _include(keys: dict[int, Attribute], name: str, level: Level) -> None:
    if name == "all":
        for above in _ABOVE[level]:
            for tag in _ALL[above]:
                keys.setdefault(tag, Attribute(vr_of(tag)))
    elif name:
        path = _path(name)
        if len(path) == 1:
            keys.setdefault(path[0], Attribute(vr_of(path[0])))
        elif path[0] not in keys or keys[path[0]].values:
            _add(keys, path, "")


def _number(values: list[str], name: str, default: int) -> int:
    if not values:
        return default
    if len(values) > 1 or not values[0].isascii() or not values[0].isdigit() or len(values[0]) > 18:
        raise _wrong(f"{name} is one whole number")
    return int(values[0])


def _truth(values: list[str]) -> bool:
    if not values:
        return False
    if values[-1].lower() not in ("true", "false"):
        raise _wrong("fuzzymatching is true or false")
    return values[-1].lower() == "true"


def _wrong(what: str) -> LeadglassError:
    return LeadglassError(ErrorCode.INVALID_QUERY, f"{what}.")
