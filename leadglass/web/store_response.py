"""The answer to a Store transaction (PS3.18 10.5.3): what became of each instance, and the status that sums it up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from leadglass.core.attributes import Attribute, AttributeSet
from leadglass.core.errors import LeadglassError
from leadglass.core.identity import InstanceIdentity
from leadglass.dicom.dictionary import tag_of
from leadglass.dicom.json_model import attributes_json
from leadglass.dicom.xml_model import attributes_xml
from leadglass.web.answers import DICOM_JSON, DICOM_XML, multipart_of
from leadglass.web.urls import instance_url, study_url
from leadglass.wire.dimse.failures import STORE, status_of

OFFERS: Final = (DICOM_JSON, "application/json", DICOM_XML, f"multipart/related;{DICOM_XML}")

_RETRIEVE_URL: Final = tag_of("RetrieveURL")
_FAILURE_REASON: Final = tag_of("FailureReason")
_CLASS, _INSTANCE = tag_of("ReferencedSOPClassUID"), tag_of("ReferencedSOPInstanceUID")
_FAILED, _REFERENCED = tag_of("FailedSOPSequence"), tag_of("ReferencedSOPSequence")
_OTHER: Final = tag_of("OtherFailuresSequence")
_TOLD_REASONS: Final = 4  # of the failures, in words, beside the numbers


@dataclass(frozen=True, slots=True)
class Stored:
    """An instance that is in the archive."""

    identity: InstanceIdentity


@dataclass(frozen=True, slots=True)
class Failed:
    """An instance that is not, or something that was none: then both UIDs are empty."""

    sop_class: str
    sop_instance: str
    error: LeadglassError


Outcome = Stored | Failed


def store_response(outcomes: Sequence[Outcome], offer: str, origin: str) -> Response:
    """200 if all were stored, 202 if some were, 409 if none; always with the Store Instances Response Module."""
    stored = [item for item in outcomes if isinstance(item, Stored)]
    failed = [item for item in outcomes if isinstance(item, Failed)]
    status = 409 if not stored else 202 if failed else 200
    headers = {"cache-control": "no-store"}
    if failed:
        headers["warning"] = f'299 leadglass "{_in_words(failed)}"'
    body, media_type = _written(response_module(stored, failed, origin), offer)
    return Response(body, status, headers, media_type)


def response_module(stored: Sequence[Stored], failed: Sequence[Failed], origin: str) -> AttributeSet:
    """The Store Instances Response Module (table 10.5.3-1)."""
    studies = {item.identity.study_uid for item in stored}
    url = study_url(origin, studies.pop()) if len(studies) == 1 else ""
    named = [item for item in failed if item.sop_class and item.sop_instance]
    others = [item for item in failed if not (item.sop_class and item.sop_instance)]
    sequences = {
        _FAILED: tuple(_failed_item(item) for item in named),
        _REFERENCED: tuple(_stored_item(item, origin) for item in stored),
        _OTHER: tuple({_FAILURE_REASON: _reason(item)} for item in others),
    }
    filled = {tag: Attribute("SQ", items) for tag, items in sequences.items() if items}
    return dict(sorted({_RETRIEVE_URL: _url(url), **filled}.items()))


def _stored_item(item: Stored, origin: str) -> AttributeSet:
    identity = item.identity
    url = instance_url(origin, identity) if identity.study_uid and identity.series_uid else ""
    return {
        _CLASS: Attribute("UI", (identity.sop_class_uid,)),
        _INSTANCE: Attribute("UI", (identity.sop_instance_uid,)),
        _RETRIEVE_URL: _url(url),
    }


def _failed_item(item: Failed) -> AttributeSet:
    return {
        _CLASS: Attribute("UI", (item.sop_class,)),
        _INSTANCE: Attribute("UI", (item.sop_instance,)),
        _FAILURE_REASON: _reason(item),
    }


def _url(url: str) -> Attribute:
    return Attribute("UR", (url,) if url and not url.endswith("/studies/") else ())


def _reason(item: Failed) -> Attribute:
    return Attribute("US", (str(status_of(item.error, STORE)),))


def _in_words(failed: Sequence[Failed]) -> str:
    """The reasons, each once; they are sentences of ours and hold no value of a data set."""
    reasons = list(dict.fromkeys(item.error.comment.rstrip(".") for item in failed))
    told = "; ".join(reasons[:_TOLD_REASONS]) + ("; ..." if len(reasons) > _TOLD_REASONS else "")
    return f"{len(failed)} not stored: {told}".replace('"', "'").encode("ascii", "replace").decode("ascii")


def _written(module: AttributeSet, offer: str) -> tuple[bytes, str]:
    if offer in (DICOM_JSON, "application/json"):
        return attributes_json(module), offer
    document = attributes_xml(module)
    if offer == DICOM_XML:
        return document, DICOM_XML
    return multipart_of([document], DICOM_XML)
