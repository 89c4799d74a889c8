"""Error code -> DIMSE status, once per service (PS3.4 B.2.3, C.4.1.1.4, C.4.2.1.5, C.4.3.1.4; PS3.7 annex C)."""

from __future__ import annotations

from collections.abc import Mapping

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.wire.dimse import status

MAX_ERROR_COMMENT = 64  # LO (PS3.7 E.1)

_GENERAL: Mapping[ErrorCode, int] = {
    ErrorCode.NOT_AUTHORISED: status.REFUSED_NOT_AUTHORIZED,
    ErrorCode.CANCELLED: status.CANCEL,
}

STORE: Mapping[ErrorCode, int] = {
    **_GENERAL,
    ErrorCode.OUT_OF_RESOURCES: status.OUT_OF_RESOURCES,
    ErrorCode.UNAVAILABLE: status.OUT_OF_RESOURCES,
    ErrorCode.INTERNAL: status.OUT_OF_RESOURCES,
    ErrorCode.IDENTITY_MISMATCH: status.DATA_SET_DOES_NOT_MATCH_SOP_CLASS,
    ErrorCode.UNPARSABLE: status.CANNOT_UNDERSTAND,
    ErrorCode.MISSING_UID: status.CANNOT_UNDERSTAND,
    ErrorCode.DUPLICATE_REFUSED: status.DUPLICATE_REFUSED,
    ErrorCode.INVALID_UID: status.INVALID_SOP_INSTANCE,
}

QUERY: Mapping[ErrorCode, int] = {
    **_GENERAL,
    ErrorCode.OUT_OF_RESOURCES: status.OUT_OF_RESOURCES,
    ErrorCode.TOO_MANY_MATCHES: status.OUT_OF_RESOURCES,
    ErrorCode.INVALID_QUERY: status.DATA_SET_DOES_NOT_MATCH_SOP_CLASS,
    ErrorCode.UNPARSABLE: status.CANNOT_UNDERSTAND,
}

RETRIEVE: Mapping[ErrorCode, int] = {
    **QUERY,
    ErrorCode.UNKNOWN_DESTINATION: status.MOVE_DESTINATION_UNKNOWN,
    ErrorCode.DESTINATION_UNREACHABLE: status.UNABLE_TO_PERFORM_SUBOPERATIONS,
    ErrorCode.CANNOT_CONVERT: status.UNABLE_TO_PERFORM_SUBOPERATIONS,
    ErrorCode.UNAVAILABLE: status.UNABLE_TO_PERFORM_SUBOPERATIONS,
}


def status_of(error: LeadglassError, table: Mapping[ErrorCode, int]) -> int:
    """The DIMSE status for `error`; 0xC000 (unable to process) where the table has no row."""
    return table.get(error.code, status.CANNOT_UNDERSTAND)


def comment_of(error: LeadglassError) -> str:
    """The Error Comment for `error`: at most 64 characters, ASCII."""
    return error.comment.encode("ascii", "replace").decode("ascii")[:MAX_ERROR_COMMENT]
