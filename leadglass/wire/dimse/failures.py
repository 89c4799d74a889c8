"""Error code -> status of a store (PS3.4 B.2.3; PS3.7 annex C). STOW-RS reports the same numbers as Failure Reason
(PS3.18 10.5.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.wire.dimse import status

GENERAL: Final[Mapping[ErrorCode, int]] = {
    ErrorCode.NOT_AUTHORISED: status.REFUSED_NOT_AUTHORIZED,
    ErrorCode.CANCELLED: status.CANCEL,
}

STORE: Final[Mapping[ErrorCode, int]] = {
    **GENERAL,
    ErrorCode.OUT_OF_RESOURCES: status.OUT_OF_RESOURCES,
    ErrorCode.TOO_LARGE: status.OUT_OF_RESOURCES,
    ErrorCode.UNAVAILABLE: status.OUT_OF_RESOURCES,
    ErrorCode.INTERNAL: status.OUT_OF_RESOURCES,
    ErrorCode.IDENTITY_MISMATCH: status.DATA_SET_DOES_NOT_MATCH_SOP_CLASS,
    ErrorCode.UNPARSABLE: status.CANNOT_UNDERSTAND,
    ErrorCode.MISSING_UID: status.CANNOT_UNDERSTAND,
    ErrorCode.DUPLICATE_REFUSED: status.DUPLICATE_REFUSED,
    ErrorCode.INVALID_UID: status.INVALID_SOP_INSTANCE,
    ErrorCode.UNSUPPORTED: status.SOP_CLASS_NOT_SUPPORTED,
}


def status_of(error: LeadglassError, table: Mapping[ErrorCode, int]) -> int:
    """The DIMSE status for `error`; 0xC000 (unable to process) where the table has no row."""
    return table.get(error.code, status.CANNOT_UNDERSTAND)
