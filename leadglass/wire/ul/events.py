"""What an association tells its driver. Frozen; `DataReceived` is a plain tuple because it is made per fragment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from leadglass.wire.ul.pdu import AssociateAC, AssociateRQ


class DataReceived(NamedTuple):
    """A piece of one presentation data value, of an accepted context.

    A PDV larger than one read comes in several pieces; only its last piece carries the PDV's `is_last`. `data` may be
    empty only on the last one, and is valid until the association's next `get_buffer` or `receive_data`.
    """

    context_id: int
    is_command: bool
    is_last: bool
    data: memoryview


@dataclass(frozen=True, slots=True)
class AssociationRequested:
    """The peer asks for an association; answer with `accept` or `reject`."""

    request: AssociateRQ


@dataclass(frozen=True, slots=True)
class AssociationAccepted:
    """The peer accepted our request."""

    response: AssociateAC


@dataclass(frozen=True, slots=True)
class AssociationRejected:
    """The peer refused our request (PS3.8 table 9-21)."""

    result: int
    source: int
    reason: int


@dataclass(frozen=True, slots=True)
class ReleaseRequested:
    """The peer asks to release; answer with `reply_release`."""


@dataclass(frozen=True, slots=True)
class Released:
    """The association ended in order, for whichever side asked."""


@dataclass(frozen=True, slots=True)
class Aborted:
    """The association was aborted (PS3.8 table 9-26 for source and reason)."""

    source: int
    reason: int
    by_peer: bool


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """The transport closed before the association ended."""


@dataclass(frozen=True, slots=True)
class ProtocolViolation:
    """The peer broke the protocol and was aborted (or, for a request of another version, rejected).

    `reason` is one of a few fixed sentences and never carries the peer's bytes.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Timeout:
    """The peer took too long: `what` is "request", "pdu", "message", "idle", "reply" or "close"."""

    what: str


Event: TypeAlias = (
    DataReceived
    | AssociationRequested
    | AssociationAccepted
    | AssociationRejected
    | ReleaseRequested
    | Released
    | Aborted
    | ConnectionLost
    | ProtocolViolation
    | Timeout
)
