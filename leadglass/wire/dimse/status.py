"""Status codes by name (PS3.7 annex C, PS3.4 tables B.2-1, C.4-1, C.4-2, C.4-3), and what kind a code is."""

from __future__ import annotations

from enum import Enum
from typing import Final

# --- general (PS3.7 annex C) ---
SUCCESS: Final = 0x0000
ATTRIBUTE_LIST_ERROR: Final = 0x0107  # warning of N-CREATE and N-SET
SOP_CLASS_NOT_SUPPORTED: Final = 0x0122
CLASS_INSTANCE_CONFLICT: Final = 0x0119
DUPLICATE_SOP_INSTANCE: Final = 0x0111
DUPLICATE_INVOCATION: Final = 0x0210
INVALID_ARGUMENT_VALUE: Final = 0x0115
INVALID_ATTRIBUTE_VALUE: Final = 0x0106
INVALID_SOP_INSTANCE: Final = 0x0117
MISSING_ATTRIBUTE: Final = 0x0120
MISSING_ATTRIBUTE_VALUE: Final = 0x0121
MISTYPED_ARGUMENT: Final = 0x0212
NO_SUCH_ARGUMENT: Final = 0x0114
NO_SUCH_ATTRIBUTE: Final = 0x0105
NO_SUCH_EVENT_TYPE: Final = 0x0113
NO_SUCH_SOP_INSTANCE: Final = 0x0112
NO_SUCH_SOP_CLASS: Final = 0x0118
PROCESSING_FAILURE: Final = 0x0110
REFUSED_NOT_AUTHORIZED: Final = 0x0124
RESOURCE_LIMITATION: Final = 0x0213
UNRECOGNIZED_OPERATION: Final = 0x0211
NO_SUCH_ACTION_TYPE: Final = 0x0123
ATTRIBUTE_VALUE_OUT_OF_RANGE: Final = 0x0116  # warning
CANCEL: Final = 0xFE00
PENDING: Final = 0xFF00
PENDING_WARNING: Final = 0xFF01  # optional keys were not matched, or relational queries not supported

# --- storage, query and retrieve (PS3.4) ---
OUT_OF_RESOURCES: Final = 0xA700
UNABLE_TO_CALCULATE_MATCHES: Final = 0xA701
UNABLE_TO_PERFORM_SUBOPERATIONS: Final = 0xA702
MOVE_DESTINATION_UNKNOWN: Final = 0xA801
DATA_SET_DOES_NOT_MATCH_SOP_CLASS: Final = 0xA900
COERCION_OF_DATA_ELEMENTS: Final = 0xB000  # warning of C-STORE
SUBOPERATIONS_COMPLETE_WITH_FAILURES: Final = 0xB000  # warning of C-GET and C-MOVE
ELEMENTS_DISCARDED: Final = 0xB006
DATA_SET_DOES_NOT_MATCH_SOP_CLASS_WARNING: Final = 0xB007
CANNOT_UNDERSTAND: Final = 0xC000  # C-FIND, C-GET and C-MOVE call it "unable to process"
DUPLICATE_REFUSED: Final = 0xC001  # in the 0xCxxx range: the same SOP Instance UID with other values


class StatusKind(Enum):
    """What a status means for the one who asked (PS3.7 annex C)."""

    SUCCESS = "success"
    WARNING = "warning"
    PENDING = "pending"
    CANCEL = "cancel"
    FAILURE = "failure"


_GENERAL_WARNINGS = frozenset({0x0001, ATTRIBUTE_LIST_ERROR, ATTRIBUTE_VALUE_OUT_OF_RANGE})


def kind_of(status: int) -> StatusKind:
    """The kind of a status 0..0xFFFF; a code that no class of PS3.7 C names is a failure."""
    if status == SUCCESS:
        return StatusKind.SUCCESS
    if status in (PENDING, PENDING_WARNING):
        return StatusKind.PENDING
    if status == CANCEL:
        return StatusKind.CANCEL
    if status & 0xF000 == 0xB000 or status in _GENERAL_WARNINGS:
        return StatusKind.WARNING
    return StatusKind.FAILURE


def is_pending(status: int) -> bool:
    """Whether further responses follow one with this status."""
    return status in (PENDING, PENDING_WARNING)
