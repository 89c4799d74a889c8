"""Journal events, named after the audit messages of PS3.15 A.5.3. No patient names; identifiers only where A.5 asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class EventKind(Enum):
    """PS3.15 A.5.3 messages, plus the archive's own under Security Alert."""

    APPLICATION_ACTIVITY = "application-activity"  # A.5.3.1 start, stop
    AUDIT_LOG_USED = "audit-log-used"  # A.5.3.2
    BEGIN_TRANSFER = "begin-transferring-instances"  # A.5.3.3
    DATA_EXPORT = "data-export"  # A.5.3.4
    DATA_IMPORT = "data-import"  # A.5.3.5
    INSTANCES_ACCESSED = "instances-accessed"  # A.5.3.6
    INSTANCES_TRANSFERRED = "instances-transferred"  # A.5.3.7
    STUDY_DELETED = "study-deleted"  # A.5.3.8
    NETWORK_ENTRY = "network-entry"  # A.5.3.9
    ORDER_RECORD = "order-record"  # A.5.3.10
    PATIENT_RECORD = "patient-record"  # A.5.3.11
    PROCEDURE_RECORD = "procedure-record"  # A.5.3.12
    QUERY = "query"  # A.5.3.13
    SECURITY_ALERT = "security-alert"  # A.5.3.14
    USER_AUTHENTICATION = "user-authentication"  # A.5.3.15


class Outcome(Enum):
    """Event Outcome Indicator (RFC 3881 5.1)."""

    SUCCESS = 0
    MINOR_FAILURE = 4
    SERIOUS_FAILURE = 8
    MAJOR_FAILURE = 12


@dataclass(frozen=True, slots=True)
class JournalEvent:
    """One thing that happened. `what` is a short verb phrase ("association-refused"); `details` small and flat."""

    kind: EventKind
    what: str
    principal: str
    address: str = ""
    outcome: Outcome = Outcome.SUCCESS
    details: Mapping[str, str | int] = field(default_factory=dict)
