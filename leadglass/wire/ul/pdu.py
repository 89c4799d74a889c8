"""The PDUs of the upper layer as values (PS3.8 9.3, PS3.7 annex D.3.3). Frozen, and valid once decoded.

P-DATA-TF has no class here: its values are never gathered, they go by as `events.DataReceived` while they arrive.
Contexts are named tuples: an association has up to 128 of them, and a tuple is made three times as fast.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple, TypeAlias

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"  # PS3.7 annex A.2.1


class PduType(IntEnum):
    """First byte of a PDU (PS3.8 9.3)."""

    ASSOCIATE_RQ = 0x01
    ASSOCIATE_AC = 0x02
    ASSOCIATE_RJ = 0x03
    P_DATA_TF = 0x04
    RELEASE_RQ = 0x05
    RELEASE_RP = 0x06
    ABORT = 0x07


class ContextReason(IntEnum):
    """Result of a presentation context (PS3.8 table 9-18)."""

    ACCEPTED = 0
    USER_REJECTION = 1
    NO_REASON = 2
    ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
    TRANSFER_SYNTAXES_NOT_SUPPORTED = 4


@dataclass(frozen=True, slots=True)
class ProposedContext:
    """One presentation context of a request: odd `id` 1..255, one abstract syntax, its transfer syntaxes in order."""

    id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


class ContextResult(NamedTuple):
    """What became of a proposed context. `transfer_syntax` means something only when `result` is ACCEPTED."""

    id: int
    result: int
    transfer_syntax: str = ""


class AcceptedContext(NamedTuple):
    """A context both sides agreed on. The roles are those of *this* side (PS3.7 D.3.3.4)."""

    id: int
    abstract_syntax: str
    transfer_syntax: str
    scu_role: bool
    scp_role: bool


@dataclass(frozen=True, slots=True)
class RoleSelection:
    """SCP/SCU role selection, roles of the *requestor*, proposed in RQ and accepted in AC (PS3.7 D.3.3.4)."""

    sop_class: str
    scu: bool
    scp: bool


@dataclass(frozen=True, slots=True)
class ExtendedNegotiation:
    """SOP class extended negotiation (PS3.7 D.3.3.5)."""

    sop_class: str
    information: bytes


@dataclass(frozen=True, slots=True)
class CommonExtendedNegotiation:
    """SOP class common extended negotiation, in RQ only (PS3.7 D.3.3.6)."""

    sop_class: str
    service_class: str
    related: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AsynchronousWindow:
    """Asynchronous operations window (PS3.7 D.3.3.3); 0 means without limit."""

    invoked: int = 1
    performed: int = 1


@dataclass(frozen=True, slots=True)
class UserIdentity:
    """User identity of a request (PS3.7 D.3.3.7). Type 1 name, 2 name and passcode, 3 Kerberos, 4 SAML, 5 JWT.

    The fields are secrets: `repr` leaves them out.
    """

    type: int
    response_requested: bool
    primary: bytes = field(repr=False)
    secondary: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class UserInformation:
    """The user information item. `max_pdu_length` is what the sender of the item wants to receive, 0 unlimited;
    `asynchronous` None stands for (1, 1)."""

    max_pdu_length: int = 0
    implementation_class_uid: str = ""
    implementation_version_name: str = ""
    roles: tuple[RoleSelection, ...] = ()
    asynchronous: AsynchronousWindow | None = None
    extended: tuple[ExtendedNegotiation, ...] = ()
    common_extended: tuple[CommonExtendedNegotiation, ...] = ()
    identity: UserIdentity | None = None
    identity_response: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class AssociateRQ:
    """A-ASSOCIATE-RQ (PS3.8 9.3.2). Titles are without outer spaces and NULs."""

    called_ae: str
    calling_ae: str
    contexts: tuple[ProposedContext, ...]
    user: UserInformation = UserInformation()
    application_context: str = APPLICATION_CONTEXT
    protocol_version: int = 1


@dataclass(frozen=True, slots=True)
class AssociateAC:
    """A-ASSOCIATE-AC (PS3.8 9.3.3). The titles repeat those of the request and are not to be tested."""

    called_ae: str
    calling_ae: str
    contexts: tuple[ContextResult, ...]
    user: UserInformation = UserInformation()
    application_context: str = APPLICATION_CONTEXT
    protocol_version: int = 1


@dataclass(frozen=True, slots=True)
class AssociateRJ:
    """A-ASSOCIATE-RJ (PS3.8 table 9-21): result 1 permanent, 2 transient."""

    result: int
    source: int
    reason: int


@dataclass(frozen=True, slots=True)
class ReleaseRQ:
    """A-RELEASE-RQ (PS3.8 9.3.6)."""


@dataclass(frozen=True, slots=True)
class ReleaseRP:
    """A-RELEASE-RP (PS3.8 9.3.7)."""


@dataclass(frozen=True, slots=True)
class Abort:
    """A-ABORT (PS3.8 table 9-26): source 0 service user, 2 service provider."""

    source: int = 0
    reason: int = 0


Pdu: TypeAlias = AssociateRQ | AssociateAC | AssociateRJ | ReleaseRQ | ReleaseRP | Abort
