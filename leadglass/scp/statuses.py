"""Error code -> DIMSE status, once per service (PS3.4 C.4.1.1.4, C.4.2.1.5, C.4.3.1.4; PS3.7 annex C). That of a store,
which the web door reports too, is in wire.dimse.failures."""

from __future__ import annotations

from collections.abc import Mapping

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.wire.dimse import status
from leadglass.wire.dimse.failures import GENERAL

MAX_ERROR_COMMENT = 64  # LO (PS3.7 E.1)

QUERY: Mapping[ErrorCode, int] = {
    **GENERAL,
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


def comment_of(error: LeadglassError) -> str:
    """The Error Comment for `error`: at most 64 characters, ASCII."""
    return error.comment.encode("ascii", "replace").decode("ascii")[:MAX_ERROR_COMMENT]
