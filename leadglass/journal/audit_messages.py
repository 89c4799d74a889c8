"""A journal entry as an audit message of PS3.15 A.5 (schema A.5.1, events A.5.3). Pure: who ships it is another room.

Of people, the acting principal is named; of patients, nothing but the study's UID where A.5.3 wants the study.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TypeAlias
from xml.etree.ElementTree import Element, SubElement, tostring  # only writes: nothing is parsed here

from leadglass.core.audit import JournalEntry
from leadglass.core.events import EventKind, JournalEvent
from leadglass.journal.codec import iso_time

Code: TypeAlias = "tuple[str, str]"  # DCM code and meaning (PS3.16)


@dataclass(frozen=True, slots=True)
class AuditSource:
    """The system that audits (A.5.2: Audit Source ID, Enterprise Site ID) and its host's address if known."""

    source_id: str
    site_id: str = ""
    address: str = ""


# CID 400 Audit Event ID, and Event Action Code as A.5.3 fixes it
EVENT_IDS: Mapping[EventKind, tuple[Code, str]] = {
    EventKind.APPLICATION_ACTIVITY: (("110100", "Application Activity"), "E"),
    EventKind.AUDIT_LOG_USED: (("110101", "Audit Log Used"), "R"),
    EventKind.BEGIN_TRANSFER: (("110102", "Begin Transferring DICOM Instances"), "E"),
    EventKind.DATA_EXPORT: (("110106", "Export"), "R"),
    EventKind.DATA_IMPORT: (("110107", "Import"), "C"),
    EventKind.INSTANCES_ACCESSED: (("110103", "DICOM Instances Accessed"), "R"),
    EventKind.INSTANCES_TRANSFERRED: (("110104", "DICOM Instances Transferred"), "C"),
    EventKind.STUDY_DELETED: (("110105", "DICOM Study Deleted"), "D"),
    EventKind.NETWORK_ENTRY: (("110108", "Network Entry"), "E"),
    EventKind.ORDER_RECORD: (("110109", "Order Record"), "U"),
    EventKind.PATIENT_RECORD: (("110110", "Patient Record"), "U"),
    EventKind.PROCEDURE_RECORD: (("110111", "Procedure Record"), "U"),
    EventKind.QUERY: (("110112", "Query"), "E"),
    EventKind.SECURITY_ALERT: (("110113", "Security Alert"), "E"),
    EventKind.USER_AUTHENTICATION: (("110114", "User Authentication"), "E"),
}

# CID 401 Audit Event Type Code, by what happened; else by kind where A.5.3 requires one
_TYPES_BY_WHAT: Mapping[str, Code] = {
    "started": ("110120", "Application Start"),
    "stopped": ("110121", "Application Stop"),
    "login": ("110122", "Login"),
    "logout": ("110123", "Logout"),
    "attach": ("110124", "Attach"),
    "detach": ("110125", "Detach"),
    "association-refused": ("110126", "Node Authentication"),
    "right-refused": ("110132", "Use of Restricted Function"),
    "override-in-force": ("110127", "Emergency Override Started"),
    "journal-gap": ("110133", "Audit Recording Stopped"),
}
_TYPES_BY_KIND: Mapping[EventKind, Code] = {
    EventKind.APPLICATION_ACTIVITY: ("110120", "Application Start"),
    EventKind.NETWORK_ENTRY: ("110124", "Attach"),
    EventKind.SECURITY_ALERT: ("110132", "Use of Restricted Function"),
    EventKind.USER_AUTHENTICATION: ("110122", "Login"),
}

_APPLICATION: Code = ("110150", "Application")
_STUDY_UID: Code = ("110180", "Study Instance UID")
_DETAIL_STUDY = "study_uid"
_XML_TEXT = str.maketrans({chr(code): "\ufffd" for code in (*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF)})


def audit_message(entry: JournalEntry, source: AuditSource) -> str:
    """The XML of `entry`, one line without declaration, fit for a syslog message (A.6)."""
    event = entry.event
    message = Element("AuditMessage")
    _event_identification(message, entry)
    _participants(message, event, source)
    audit = SubElement(message, "AuditSourceIdentification", AuditSourceID=_clean(source.source_id))
    if source.site_id:
        audit.set("AuditEnterpriseSiteID", _clean(source.site_id))
    _coded(audit, "AuditSourceTypeCode", ("4", "Application Server"))
    _objects(message, event, source)
    return tostring(message, encoding="unicode")


def _event_identification(message: Element, entry: JournalEntry) -> None:
    event = entry.event
    event_id, action = EVENT_IDS[event.kind]
    identification = SubElement(
        message,
        "EventIdentification",
        EventActionCode=action,
        EventDateTime=iso_time(entry.time),
        EventOutcomeIndicator=str(event.outcome.value),
    )
    _coded(identification, "EventID", event_id)
    event_type = _TYPES_BY_WHAT.get(event.what) or _TYPES_BY_KIND.get(event.kind)
    if event_type is not None:
        _coded(identification, "EventTypeCode", event_type)
    SubElement(identification, "EventOutcomeDescription").text = _clean(event.what)


def _participants(message: Element, event: JournalEvent, source: AuditSource) -> None:
    """The one who acts, and the archive as the application that serves or is acted on."""
    actor = SubElement(
        message, "ActiveParticipant", UserID=_clean(event.principal or "unknown"), UserIsRequestor="true"
    )
    _network_access_point(actor, event.address)
    application = SubElement(message, "ActiveParticipant", UserID=_clean(source.source_id), UserIsRequestor="false")
    _network_access_point(application, source.address)
    _coded(application, "RoleIDCode", _APPLICATION)


def _network_access_point(participant: Element, address: str) -> None:
    if address:
        participant.set("NetworkAccessPointID", _clean(address))
        participant.set("NetworkAccessPointTypeCode", "2" if _is_address(address) else "1")  # IP address or host name


def _objects(message: Element, event: JournalEvent, source: AuditSource) -> None:
    details = {name: value for name, value in event.details.items() if name != _DETAIL_STUDY}
    study = event.details.get(_DETAIL_STUDY)
    if study is not None:
        item = _object(message, str(study), type_code="2", role="3", id_type=_STUDY_UID)  # system object, report
    elif details:
        item = _object(message, source.source_id, type_code="2", role="13", id_type=("110182", "Node ID"))
    else:
        return
    for name, value in details.items():
        SubElement(item, "ParticipantObjectDetail", type=_clean(name), value=_base64(str(value)))


def _object(message: Element, object_id: str, *, type_code: str, role: str, id_type: Code) -> Element:
    item = SubElement(
        message,
        "ParticipantObjectIdentification",
        ParticipantObjectID=_clean(object_id),
        ParticipantObjectTypeCode=type_code,
        ParticipantObjectTypeCodeRole=role,
    )
    _coded(item, "ParticipantObjectIDTypeCode", id_type)
    SubElement(item, "ParticipantObjectName").text = _clean(object_id)
    return item


def _coded(parent: Element, name: str, code: Code) -> None:
    SubElement(parent, name, {"csd-code": code[0], "codeSystemName": "DCM", "originalText": code[1]})


def _base64(text: str) -> str:
    return b64encode(text.encode("utf-8", "replace")).decode("ascii")


def _clean(text: str) -> str:
    """Without what XML 1.0 cannot carry (control characters, lone surrogates)."""
    return text.translate(_XML_TEXT).encode("utf-8", "replace").decode("utf-8")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
