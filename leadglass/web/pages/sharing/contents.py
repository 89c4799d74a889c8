"""What the pages of shares say of studies: few attributes, asked for within the reach of who asks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from leadglass.core.attributes import Attribute, AttributeSet
from leadglass.core.limits import MAX_UID_LIST
from leadglass.core.query import Level, Query, Selection
from leadglass.dicom.dictionary import tag_of, vr_of
from leadglass.dicom.picture_kinds import PICTURED, picture_kind
from leadglass.dicom.uids import is_valid_uid
from leadglass.web.pages.page import PageCall

_STUDY_UID: Final = "StudyInstanceUID"
_SERIES_UID: Final = "SeriesInstanceUID"
_OF_STUDY: Final = (
    _STUDY_UID,
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyDescription",
    "ModalitiesInStudy",
    "NumberOfStudyRelatedInstances",
)
_OF_SERIES: Final = (
    _SERIES_UID,
    "SeriesNumber",
    "SeriesDescription",
    "Modality",
    "NumberOfSeriesRelatedInstances",
)
_OF_IMAGE: Final = ("SOPInstanceUID", "NumberOfFrames")
# Centre and width in Hounsfield units, as radiologists use them.
WINDOWS: Final = (
    ("soft", "40,400,linear"),
    ("lung", "-600,1500,linear"),
    ("bone", "400,1800,linear"),
    ("brain", "40,80,linear"),
)
_MOST_FRAMES: Final = 100_000  # of one object, as they are counted here: what a header claims is nobody's allocation


@dataclass(frozen=True, slots=True)
class Series:
    """A series: its attributes as text by keyword, and what has a picture: SOP Instance UID and frames, in order."""

    uid: str
    told: dict[str, str]
    images: tuple[tuple[str, int], ...] = ()

    @property
    def frames(self) -> int:
        """How many pictures there are."""
        return sum(count for _, count in self.images)

    @property
    def as_json(self) -> str:
        """The images for a script of ours: pairs of UID and number of frames."""
        return json.dumps(self.images)


@dataclass(frozen=True, slots=True)
class Contents:
    """A study: its attributes as text by keyword, and its series."""

    uid: str
    told: dict[str, str]
    series: tuple[Series, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """The picture that is shown: the `number`-th of `count`, frame `frame` of `instance`; and its `window`."""

    number: int
    count: int
    instance: str
    frame: int
    window: str


async def contents_of(call: PageCall, study_uid: str) -> Contents | None:
    """A study with its series; None if it is not there or out of reach."""
    if not is_valid_uid(study_uid):
        return None
    found = await _found(call, Level.STUDY, _OF_STUDY, {_STUDY_UID: study_uid})
    if not found:
        return None
    series = await _found(call, Level.SERIES, _OF_SERIES, {_STUDY_UID: study_uid})
    made = [Series(told[_SERIES_UID], told) for told in series]
    return Contents(study_uid, found[0], tuple(sorted(made, key=_by_number)))


async def series_of(call: PageCall, study_uid: str, series_uid: str) -> Series | None:
    """A series with its images; None if it is not there or out of reach."""
    if not is_valid_uid(study_uid) or not is_valid_uid(series_uid):
        return None
    keys = {_STUDY_UID: study_uid, _SERIES_UID: series_uid}
    found = await _found(call, Level.SERIES, _OF_SERIES, keys)
    if not found:
        return None
    frames = {
        told["SOPInstanceUID"]: _number(told["NumberOfFrames"], 1)
        for told in await _found(call, Level.IMAGE, _OF_IMAGE, keys)
    }
    selection = Selection(Level.SERIES, study_uids=(study_uid,), series_uids=(series_uid,))
    identities = [stored.identity for stored in await call.doorway.retrieve.select(call.principal, selection)]
    images = tuple(
        (one.sop_instance_uid, min(max(frames.get(one.sop_instance_uid, 1), 1), _MOST_FRAMES))
        for one in identities
        if picture_kind(one.sop_class_uid) in PICTURED
    )
    return Series(series_uid, found[0], images)


def image_of(call: PageCall, series: Series) -> Shown | None:
    """The picture that a request asks for, or the first one; None if the series has none."""
    count = series.frames
    if not count:
        return None
    number = min(max(_number(call.request.query_params.get("image", ""), 1), 1), count)
    asked = call.request.query_params.get("window", "")
    window = asked if asked in {value for _, value in WINDOWS} else ""
    left = number - 1
    for instance, frames in series.images:
        if left < frames:
            return Shown(number, count, instance, left + 1, window)
        left -= frames
    return None


async def _found(call: PageCall, level: Level, keywords: Iterable[str], wanted: dict[str, str]) -> list[dict[str, str]]:
    keys: dict[int, Attribute] = {tag_of(word): Attribute(vr_of(tag_of(word))) for word in keywords}
    keys |= {tag_of(word): Attribute("UI", (value,)) for word, value in wanted.items()}
    answer = await call.doorway.find.find(call.principal, Query(level, keys, limit=MAX_UID_LIST))
    return [{word: _text(match, word) for word in keywords} for match in answer.matches]


def _text(match: AttributeSet, keyword: str) -> str:
    attribute = match.get(tag_of(keyword))
    values: Sequence[object] = () if attribute is None else attribute.values
    text = ", ".join(str(value) for value in values)
    if keyword == "PatientName":
        return _name(text)
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}" if keyword.endswith("Date") and len(text) == len("20240131") else text


def _name(text: str) -> str:
    """A person's name (PN) as it is read: family name, comma, the others; of its groups the first that has any."""
    group = next((part for part in text.split("=") if part.strip("^ ")), "")
    family, _, rest = group.partition("^")
    return ", ".join(part for part in (family, " ".join(word for word in rest.split("^") if word)) if part)


def _number(text: str, otherwise: int) -> int:
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 8 else otherwise


def _by_number(series: Series) -> tuple[int, str]:
    return _number(series.told["SeriesNumber"], 10**8), series.uid
