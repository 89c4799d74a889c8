"""Finding a study, its series and their images for a page. What is not there and what is out of reach look the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from leadglass.core.attributes import Attribute, AttributeSet
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.query import Level, Query
from leadglass.dicom.dictionary import tag_of, vr_of
from leadglass.web.pages.page import PageCall
from leadglass.web.pages.studies.values import SeriesRow, StudyRow, exact, series_of, study_of

MAX_STUDIES: Final = 500  # that are named
MAX_SERIES: Final = 2_000
MAX_INSTANCES: Final = 20_000  # of one series in the quick look
_STUDY: Final = (
    "PatientName PatientID IssuerOfPatientID PatientBirthDate PatientSex StudyDate StudyTime AccessionNumber "
    "StudyDescription ModalitiesInStudy NumberOfStudyRelatedSeries NumberOfStudyRelatedInstances StudyInstanceUID"
)
_SERIES: Final = (
    "SeriesInstanceUID SeriesNumber Modality SeriesDescription BodyPartExamined NumberOfSeriesRelatedInstances"
)
_IMAGES: Final = (
    "SOPClassUID SOPInstanceUID InstanceNumber NumberOfFrames SliceLocation WindowCenter WindowWidth Rows Columns"
)
_NO_STUDY: Final = "There is no such study here."


async def study_found(call: PageCall, study_uid: str) -> StudyRow:
    """The study of this UID. NOT_FOUND if there is none within reach."""
    found = await _find(call, Level.STUDY, _STUDY, {"StudyInstanceUID": study_uid}, 1)
    if not found:
        raise LeadglassError(ErrorCode.NOT_FOUND, _NO_STUDY)
    return study_of(found[0])


async def series_found(call: PageCall, study_uid: str) -> list[SeriesRow]:
    """The series of a study, by their numbers."""
    found = await _find(call, Level.SERIES, _SERIES, {"StudyInstanceUID": study_uid}, MAX_SERIES)
    rows = [series_of(match) for match in found]
    return sorted(rows, key=lambda row: (_number(row.number), row.uid))


async def images_found(call: PageCall, study_uid: str, series_uid: str) -> list[AttributeSet]:
    """What the catalog knows of the instances of a series, by their numbers."""
    named = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid}
    found = await _find(call, Level.IMAGE, _IMAGES, named, MAX_INSTANCES)
    return sorted(found, key=lambda one: (_number(exact(one, "InstanceNumber")), exact(one, "SOPInstanceUID")))


async def studies_found(call: PageCall, study_uids: Iterable[str]) -> dict[str, StudyRow]:
    """Those of these studies that are within reach, by their UIDs; at most MAX_STUDIES are looked for."""
    named = tuple(dict.fromkeys(study_uids))[:MAX_STUDIES]
    if not named:
        return {}
    found = await _find(call, Level.STUDY, _STUDY, {"StudyInstanceUID": named}, MAX_STUDIES)
    return {row.uid: row for row in map(study_of, found)}


async def _find(
    call: PageCall, level: Level, asked: str, named: Mapping[str, str | tuple[str, ...]], limit: int
) -> list[AttributeSet]:
    keys = {tag_of(keyword): Attribute(vr_of(tag_of(keyword))) for keyword in asked.split()}
    keys |= {
        tag_of(keyword): Attribute("UI", (uids,) if isinstance(uids, str) else uids) for keyword, uids in named.items()
    }
    page = await call.doorway.find.find(call.principal, Query(level, dict(sorted(keys.items())), limit=limit))
    return page.matches


def _number(text: str) -> int:
    plain = text.strip().lstrip("+-")
    if not (plain.isascii() and plain.isdigit() and len(plain) <= 12):
        return 1 << 62  # without a number behind those that have one
    return -int(plain) if text.strip().startswith("-") else int(plain)
