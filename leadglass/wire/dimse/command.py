"""Command sets as values (PS3.7 9.3, 10.3): one class for all messages, its fields typed.

A command is a dict of checked elements behind read-only properties: a store decodes one and encodes one per image, and
making an object of thirty fields would cost more than reading the bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final, TypeVar

from leadglass.wire.dimse import elements as el
from leadglass.wire.dimse.elements import Value, violation

NO_DATA_SET: Final = 0x0101  # PS3.7 table E.1-1: any other value announces a data set
DATA_SET: Final = 0x0001  # what most peers send; 0x0000 is legal and confuses some
RESPONSE: Final = 0x8000

_T = TypeVar("_T", int, str)


class CommandField(IntEnum):
    """Command Field (0000,0100)."""

    C_STORE_RQ = 0x0001
    C_STORE_RSP = 0x8001
    C_GET_RQ = 0x0010
    C_GET_RSP = 0x8010
    C_FIND_RQ = 0x0020
    C_FIND_RSP = 0x8020
    C_MOVE_RQ = 0x0021
    C_MOVE_RSP = 0x8021
    C_ECHO_RQ = 0x0030
    C_ECHO_RSP = 0x8030
    N_EVENT_REPORT_RQ = 0x0100
    N_EVENT_REPORT_RSP = 0x8100
    N_GET_RQ = 0x0110
    N_GET_RSP = 0x8110
    N_SET_RQ = 0x0120
    N_SET_RSP = 0x8120
    N_ACTION_RQ = 0x0130
    N_ACTION_RSP = 0x8130
    N_CREATE_RQ = 0x0140
    N_CREATE_RSP = 0x8140
    N_DELETE_RQ = 0x0150
    N_DELETE_RSP = 0x8150
    C_CANCEL_RQ = 0x0FFF


class Priority(IntEnum):
    """Priority (0000,0700)."""

    MEDIUM = 0
    HIGH = 1
    LOW = 2


_FIELDS: Mapping[int, CommandField] = {int(field): field for field in CommandField}


class Command:
    """A command set. An element that is absent, or has no value, is None (lists of tags: empty).

    `repr` names the message only: UIDs may belong to a patient.
    """

    __slots__ = ("elements", "field")

    def __init__(self, field: CommandField, elements: Mapping[int, Value]) -> None:
        self.field: Final = field
        self.elements: Final = elements

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Command) and self.elements == other.elements

    def __hash__(self) -> int:
        return hash(frozenset(self.elements.items()))

    def __repr__(self) -> str:
        status = "" if self.status is None else f", status=0x{self.status:04X}"
        return f"Command({self.field.name}{status})"

    def _get(self, number: int, kind: type[_T]) -> _T | None:
        value = self.elements.get(number)
        return value if isinstance(value, kind) else None

    def _tags(self, number: int) -> tuple[int, ...]:
        value = self.elements.get(number)
        return value if isinstance(value, tuple) else ()

    @property
    def is_response(self) -> bool:
        """Whether this answers a request."""
        return bool(self.field & RESPONSE)

    @property
    def has_data_set(self) -> bool:
        """Whether a data set follows."""
        return self.elements.get(el.DATA_SET_TYPE) != NO_DATA_SET

    @property
    def message_id(self) -> int | None:
        """Message ID (0000,0110)."""
        return self._get(el.MESSAGE_ID, int)

    @property
    def message_id_responded_to(self) -> int | None:
        """Message ID Being Responded To (0000,0120)."""
        return self._get(el.MESSAGE_ID_RESPONDED_TO, int)

    @property
    def affected_sop_class_uid(self) -> str | None:
        """Affected SOP Class UID (0000,0002)."""
        return self._get(el.AFFECTED_SOP_CLASS_UID, str)

    @property
    def affected_sop_instance_uid(self) -> str | None:
        """Affected SOP Instance UID (0000,1000)."""
        return self._get(el.AFFECTED_SOP_INSTANCE_UID, str)

    @property
    def requested_sop_class_uid(self) -> str | None:
        """Requested SOP Class UID (0000,0003)."""
        return self._get(el.REQUESTED_SOP_CLASS_UID, str)

    @property
    def requested_sop_instance_uid(self) -> str | None:
        """Requested SOP Instance UID (0000,1001)."""
        return self._get(el.REQUESTED_SOP_INSTANCE_UID, str)

    @property
    def status(self) -> int | None:
        """Status (0000,0900)."""
        return self._get(el.STATUS, int)

    @property
    def priority(self) -> int | None:
        """Priority (0000,0700)."""
        return self._get(el.PRIORITY, int)

    @property
    def move_destination(self) -> str | None:
        """Move Destination (0000,0600), without outer spaces and NULs."""
        return self._get(el.MOVE_DESTINATION, str)

    @property
    def move_originator_ae(self) -> str | None:
        """Move Originator Application Entity Title (0000,1030), without outer spaces and NULs."""
        return self._get(el.MOVE_ORIGINATOR_AE, str)

    @property
    def move_originator_message_id(self) -> int | None:
        """Move Originator Message ID (0000,1031)."""
        return self._get(el.MOVE_ORIGINATOR_MESSAGE_ID, int)

    @property
    def remaining(self) -> int | None:
        """Number of Remaining Sub-operations (0000,1020)."""
        return self._get(el.REMAINING, int)

    @property
    def completed(self) -> int | None:
        """Number of Completed Sub-operations (0000,1021)."""
        return self._get(el.COMPLETED, int)

    @property
    def failed(self) -> int | None:
        """Number of Failed Sub-operations (0000,1022)."""
        return self._get(el.FAILED, int)

    @property
    def warning(self) -> int | None:
        """Number of Warning Sub-operations (0000,1023)."""
        return self._get(el.WARNING, int)

    @property
    def error_comment(self) -> str | None:
        """Error Comment (0000,0902), as the peer wrote it: it may hold anything, so it does not belong into logs."""
        return self._get(el.ERROR_COMMENT, str)

    @property
    def offending_elements(self) -> tuple[int, ...]:
        """Offending Element (0000,0901): tags."""
        return self._tags(el.OFFENDING_ELEMENT)

    @property
    def error_id(self) -> int | None:
        """Error ID (0000,0903)."""
        return self._get(el.ERROR_ID, int)

    @property
    def event_type_id(self) -> int | None:
        """Event Type ID (0000,1002)."""
        return self._get(el.EVENT_TYPE_ID, int)

    @property
    def action_type_id(self) -> int | None:
        """Action Type ID (0000,1008)."""
        return self._get(el.ACTION_TYPE_ID, int)

    @property
    def attribute_identifier_list(self) -> tuple[int, ...]:
        """Attribute Identifier List (0000,1005): tags."""
        return self._tags(el.ATTRIBUTE_IDENTIFIER_LIST)


def decode_command(raw: bytes) -> Command:
    """Decode a command set (Implicit VR Little Endian).

    Missing UIDs are left to the service, which has a status for them. UNPARSABLE for what cannot be answered: besides
    what `elements.read_elements` refuses, an unknown Command Field, no Command Data Set Type, a request without
    Message ID, a response without status or without the ID it responds to.
    """
    values = el.read_elements(raw)
    field = _FIELDS.get(values.get(el.COMMAND_FIELD))  # type: ignore[arg-type]  # None is in no table
    if field is None:
        raise violation("The command set has no known Command Field.")
    if el.DATA_SET_TYPE not in values:
        raise violation("The command set does not say whether a data set follows.")
    if field & RESPONSE or field is CommandField.C_CANCEL_RQ:
        if el.MESSAGE_ID_RESPONDED_TO not in values:
            raise violation("The command set does not say which message it belongs to.")
        if field & RESPONSE and el.STATUS not in values:
            raise violation("The response has no status.")
    elif el.MESSAGE_ID not in values:
        raise violation("The request has no Message ID.")
    return Command(field, values)


def encode_command(command: Command) -> bytes:
    """Encode a command set with its group length (0000,0000)."""
    return el.write_elements(command.elements)
