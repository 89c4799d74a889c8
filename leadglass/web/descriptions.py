"""The description of every route of DICOMweb, by method and template.

A test holds this table against that of the routes, and the media types in it against what the routes answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from leadglass.core.limits import DEFAULT_QUERY_LIMIT, MAX_PICTURE_SIDE
from leadglass.core.pictures import DEFAULT_QUALITY, ENCODABLE, JPEG, PICTURE_TYPES, PNG, Annotation, WindowFunction
from leadglass.dicom.media_types import OCTET_STREAM, media_type_of
from leadglass.dicom.transfer_syntaxes import TRANSFER_SYNTAXES
from leadglass.web.answers import DICOM_JSON, DICOM_XML, MODEL_OFFERS
from leadglass.web.description import UID, Description, Parameter, Schema
from leadglass.web.negotiation import offer_text
from leadglass.web.representations import DICOM, RELATED, ZIP
from leadglass.web.search_request import MAX_OFFSET
from leadglass.web.store_response import OFFERS as STORE_OFFERS
from leadglass.web.urls import BASE, CONFORMANCE, INSTANCE, OPENAPI, SERIES, STUDY, URI

Key = tuple[str, str]


OPENAPI_TYPES: Final = ("application/json", "application/vnd.oai.openapi+json")


def _in_parts(*kinds: str) -> tuple[str, ...]:
    return tuple(offer_text(f"{RELATED};{kind}") for kind in kinds)


# --- representations -------------------------------------------------------------------------------------------------

_MODELS: Final = tuple(map(offer_text, MODEL_OFFERS))
_INSTANCES: Final = (*_in_parts(DICOM), ZIP)
_FRAMES: Final = (*_in_parts(OCTET_STREAM, media_type_of(ENCODABLE[0])), OCTET_STREAM)
_FRAMES_AS_STORED: Final = _in_parts(*sorted({media_type_of(uid) for uid in TRANSFER_SYNTAXES} - {OCTET_STREAM}))
_PICTURES_IN_PARTS: Final = (*_in_parts(*PICTURE_TYPES), *PICTURE_TYPES)
_UPLOADS: Final = (DICOM, *_in_parts(DICOM, DICOM_JSON, DICOM_XML))

# --- query parameters ------------------------------------------------------------------------------------------------

_TRUTH: Final[Schema] = {"type": "string", "enum": ["true", "false"]}
_NUMBERS: Final = r"-?[0-9]{1,9}(\.[0-9]{1,6})?"
_SIDES: Final = "[1-9][0-9]{0,3},[1-9][0-9]{0,3}"
_PART: Final = r"[01](\.[0-9]{1,6})?"


def _pattern(pattern: str) -> Schema:
    return {"type": "string", "pattern": f"^{pattern}$"}


def _number(least: int, most: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most}


ACCEPT: Final = Parameter("accept", "Media types, in place of the Accept header (PS3.18 8.3.3.1)")
SEARCH: Final = (
    ACCEPT,
    Parameter("limit", f"Results at most; {DEFAULT_QUERY_LIMIT} if more or nothing is said", _number(0, 10**9)),
    Parameter("offset", "Results to pass over", _number(0, MAX_OFFSET)),
    Parameter("fuzzymatching", "Whether names match whatever their accents, and by the start of any word", _TRUTH),
    Parameter("includefield", "Further attributes of the results: keywords, tags, or all"),
    Parameter("attribute", "Any attribute to match, by keyword or tag, nested with dots", open=True),
)
_THUMBNAIL: Final = (
    ACCEPT,
    Parameter("viewport", "Width and height in pixels", _pattern(_SIDES)),
)
_FUNCTIONS: Final = "|".join(item.value for item in WindowFunction)
_ANNOTATIONS: Final = "|".join(item.value for item in Annotation)
_RENDERING: Final = (
    ACCEPT,
    Parameter("annotation", "What is written into it", _pattern(f"({_ANNOTATIONS})(,({_ANNOTATIONS}))*")),
    Parameter("quality", f"Of a JPEG; {DEFAULT_QUALITY} if nothing is said", _number(1, 100)),
    Parameter(
        "viewport",
        "Width and height in pixels, and the region of the image that is shown: x, y, width, height",
        _pattern(rf"{_SIDES}((,{_NUMBERS}){{4}})?"),
    ),
    Parameter(
        "window",
        "Center, width and function",
        _pattern(rf"{_NUMBERS},[1-9][0-9]{{0,8}}(\.[0-9]{{1,6}})?(,({_FUNCTIONS}))?"),
    ),
    Parameter("iccprofile", "Pictures have no profile", {"type": "string", "enum": ["no"]}),
)
_VERSION: Final = Parameter("v", "The version of the instance; the answer may then be kept for good")
_URI: Final = (
    Parameter("requestType", "Always WADO", {"type": "string", "enum": ["WADO"]}, required=True),
    Parameter("studyUID", "Study Instance UID", UID, required=True),
    Parameter("seriesUID", "Series Instance UID", UID, required=True),
    Parameter("objectUID", "SOP Instance UID", UID, required=True),
    Parameter("contentType", "Media types, in place of the Accept header"),
    Parameter("transferSyntax", "Of a DICOM file: a UID, or * for the stored one", _pattern(r"(\*|[0-9]+(\.[0-9]+)*)")),
    Parameter("anonymize", "Nothing is made anonymous", {"type": "string", "enum": ["no"]}),
    Parameter("frameNumber", "The frame to show, from 1", _number(1, 2**31)),
    Parameter("imageQuality", "Of a JPEG", _number(1, 100)),
    Parameter("rows", "Height in pixels at most", _number(1, MAX_PICTURE_SIDE)),
    Parameter("columns", "Width in pixels at most", _number(1, MAX_PICTURE_SIDE)),
    Parameter("region", "What is shown: left, top, right, bottom, from 0 to 1", _pattern(f"{_PART}(,{_PART}){{3}}")),
    Parameter("windowCenter", "Together with windowWidth", _pattern(_NUMBERS)),
    Parameter("windowWidth", "Together with windowCenter", _pattern(_NUMBERS)),
    Parameter("annotation", "What is written into it", _pattern(f"({_ANNOTATIONS})(,({_ANNOTATIONS}))*")),
)

# --- the rows --------------------------------------------------------------------------------------------------------


def _search(name: str, about: str) -> Description:
    return Description(
        name, about, "PS3.18 10.6", _MODELS, (), (), SEARCH, (200, 204, 304), (400, 406, 413), "DataSets"
    )


def _metadata(name: str, about: str) -> Description:
    return Description(name, about, "PS3.18 10.4.1.1.2", _MODELS, (), (), (ACCEPT,), (200, 304), (404, 406), "DataSets")


def _instances(name: str, about: str, answers: tuple[str, ...] = _INSTANCES) -> Description:
    return Description(name, about, "PS3.18 10.4.1.1.1", answers, (), (), (ACCEPT,), (200, 206, 304), (404, 406))


def _rendered(name: str, about: str, answers: tuple[str, ...] = _PICTURES_IN_PARTS) -> Description:
    reference = "PS3.18 10.4.1.1.3"
    return Description(name, about, reference, answers, (), (), _RENDERING, (200, 304), (400, 404, 406))


def _thumbnail(name: str, about: str) -> Description:
    reference = "PS3.18 10.4.1.1.4"
    return Description(name, about, reference, (JPEG, PNG), (), (), _THUMBNAIL, (200, 304), (400, 404, 406))


def _store(name: str, about: str) -> Description:
    answers = tuple(map(offer_text, STORE_OFFERS))
    refusals = (400, 406, 408, 413, 415)
    return Description(
        name, about, "PS3.18 10.5", answers, (), _UPLOADS, (ACCEPT,), (200, 202, 409), refusals, "DataSet"
    )


def _trash(name: str, about: str) -> Description:
    return Description(name, about, "no part of PS3.18", statuses=(204,), refusals=(404,))


_FRAME: Final = INSTANCE + "/frames/{list}"

DESCRIPTIONS: Final[Mapping[Key, Description]] = {
    ("GET", BASE + "/studies"): _search("SearchForStudies", "Find studies."),
    ("GET", BASE + "/series"): _search("SearchForSeries", "Find series in all studies."),
    ("GET", BASE + "/instances"): _search("SearchForInstances", "Find instances in all studies."),
    ("GET", STUDY + "/series"): _search("SearchForStudySeries", "Find series of a study."),
    ("GET", STUDY + "/instances"): _search("SearchForStudyInstances", "Find instances of a study."),
    ("GET", SERIES + "/instances"): _search("SearchForStudySeriesInstances", "Find instances of a series."),
    ("POST", BASE + "/studies"): _store("StoreInstances", "Store instances."),
    ("POST", STUDY): _store("StoreStudyInstances", "Store instances that must belong to this study."),
    ("DELETE", STUDY): _trash("DeleteStudy", "Put a study into the trash."),
    ("POST", STUDY + "/undelete"): _trash("UndeleteStudy", "Bring a study back from the trash, or parts of it."),
    ("DELETE", SERIES): _trash("DeleteSeries", "Put the instances of a series into the trash."),
    ("POST", SERIES + "/undelete"): _trash("UndeleteSeries", "Bring instances of a series back from the trash."),
    ("DELETE", INSTANCE): _trash("DeleteInstance", "Put an instance into the trash."),
    ("POST", INSTANCE + "/undelete"): _trash("UndeleteInstance", "Bring an instance back from the trash."),
    ("GET", STUDY): _instances("RetrieveStudy", "The instances of a study."),
    ("GET", SERIES): _instances("RetrieveSeries", "The instances of a series."),
    ("GET", INSTANCE): _instances("RetrieveInstance", "An instance.", (*_INSTANCES, DICOM)),
    ("GET", STUDY + "/metadata"): _metadata("RetrieveStudyMetadata", "All but the bulk data of a study."),
    ("GET", SERIES + "/metadata"): _metadata("RetrieveSeriesMetadata", "All but the bulk data of a series."),
    ("GET", INSTANCE + "/metadata"): _metadata("RetrieveInstanceMetadata", "All but the bulk data of an instance."),
    ("GET", _FRAME): Description(
        "RetrieveFrames",
        "Frames of an instance, as stored, decoded, or encoded as HTJ2K.",
        "PS3.18 10.4.1.1.6",
        _FRAMES,
        _FRAMES_AS_STORED,
        (),
        (ACCEPT, _VERSION),
        (200, 304),
        (400, 404, 406),
    ),
    ("GET", INSTANCE + "/bulkdata/{version}/{path:path}"): Description(
        "RetrieveBulkdata",
        "A value of an instance, or a range of its bytes.",
        "PS3.18 10.4.1.1.5",
        (OCTET_STREAM, *_in_parts(OCTET_STREAM)),
        _FRAMES_AS_STORED,
        (),
        (ACCEPT,),
        (200, 206, 304),
        (400, 404, 406, 416),
    ),
    ("GET", STUDY + "/rendered"): _rendered("RetrieveRenderedStudy", "The images of a study as pictures."),
    ("GET", SERIES + "/rendered"): _rendered("RetrieveRenderedSeries", "The images of a series as pictures."),
    ("GET", INSTANCE + "/rendered"): _rendered(
        "RetrieveRenderedInstance",
        "The first frame as a picture, or all of them as an animated GIF.",
    ),
    ("GET", _FRAME + "/rendered"): _rendered("RetrieveRenderedFrames", "Frames as pictures."),
    ("GET", STUDY + "/thumbnail"): _thumbnail("RetrieveStudyThumbnail", "A small picture that stands for a study."),
    ("GET", SERIES + "/thumbnail"): _thumbnail("RetrieveSeriesThumbnail", "A small picture that stands for a series."),
    ("GET", INSTANCE + "/thumbnail"): _thumbnail("RetrieveInstanceThumbnail", "A small picture of an instance."),
    ("GET", _FRAME + "/thumbnail"): _thumbnail("RetrieveFrameThumbnail", "A small picture of a frame."),
    ("GET", URI): Description(
        "RetrieveByUri",
        "An instance as a DICOM file or a picture, everything said in the query (WADO-URI).",
        "PS3.18 9",
        (DICOM, *PICTURE_TYPES),
        (),
        (),
        _URI,
        (200, 304),
        (400, 404, 406),
    ),
    ("GET", OPENAPI): Description(
        "DescribeService",
        "This service as an OpenAPI 3.1 document.",
        "no part of PS3.18",
        OPENAPI_TYPES,
        parameters=(ACCEPT,),
        statuses=(200, 304),
        refusals=(406,),
    ),
    ("GET", CONFORMANCE): Description(
        "RetrieveConformanceStatement",
        "The DICOM conformance statement of this version.",
        "PS3.2 Annex N",
        ("text/html", "text/markdown", "application/json"),
        parameters=(ACCEPT,),
        statuses=(200, 304),
        refusals=(406,),
    ),
}
