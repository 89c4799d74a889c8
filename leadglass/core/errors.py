"""One error family with few codes; each door translates a code once (scp: DIMSE status, web: HTTP status)."""

from __future__ import annotations

from enum import Enum


class ErrorCode(Enum):
    """What went wrong, in words that every door can translate."""

    NOT_AUTHENTICATED = "not-authenticated"  # nobody known, or no longer let in
    NOT_AUTHORISED = "not-authorised"
    NOT_FOUND = "not-found"
    UNPARSABLE = "unparsable"  # data set cut short, over limits, or not DICOM
    MISSING_UID = "missing-uid"  # no Study or Series Instance UID
    IDENTITY_MISMATCH = "identity-mismatch"  # SOP UIDs absent or unequal to command or context
    INVALID_UID = "invalid-uid"  # other than digits and dots, or over 64 characters
    DUPLICATE_REFUSED = "duplicate-refused"  # same SOP Instance UID, other values, device policy `refuse`
    UNSUPPORTED = "unsupported"  # a media type, coding or SOP class that is not taken here
    TOO_LARGE = "too-large"  # longer than the configuration allows
    TOO_SLOW = "too-slow"  # what was announced does not come in time
    OUT_OF_RESOURCES = "out-of-resources"  # disk full, I/O error, quota, buffers
    OVER_QUOTA = "over-quota"  # more than one principal may have at a time
    TOO_MANY_MATCHES = "too-many-matches"  # a query beyond its limit
    INVALID_QUERY = "invalid-query"  # identifier does not fit the SOP class
    UNKNOWN_DESTINATION = "unknown-destination"
    DESTINATION_UNREACHABLE = "destination-unreachable"
    CANNOT_CONVERT = "cannot-convert"  # no transfer syntax that both sides have
    CANCELLED = "cancelled"
    DAMAGED = "damaged"  # bytes at rest do not authenticate or are not what was asked for
    UNSAFE = "unsafe"  # a setting that would expose patient data
    IN_USE = "in-use"  # another server holds this archive
    USAGE = "usage"  # the caller's words are off
    UNAVAILABLE = "unavailable"  # something needed (journal, keys, peer) is not there now
    INTERNAL = "internal"


class LeadglassError(Exception):
    """An error with a code; its text never carries a value taken from a data set.

    `comment` is one plain sentence for people. `tags` names offending attributes (Offending Element 0000,0901).
    """

    def __init__(self, code: ErrorCode, comment: str, *, tags: tuple[int, ...] = ()) -> None:
        super().__init__(comment)
        self.code = code
        self.comment = comment
        self.tags = tags
