"""Error code -> HTTP status, once for the whole door (RFC 9110)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.services.quotas import OverQuotaError
from leadglass.web.problem import problem

RETRY_SECONDS: Final = "2"  # a full buffer or disk is worth another try, not at once
_INNER: Final = "The request cannot be answered because of a fault here; the administrator finds it in the log."

STATUS: Final[Mapping[ErrorCode, int]] = {
    ErrorCode.NOT_AUTHENTICATED: 401,
    ErrorCode.NOT_AUTHORISED: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.UNPARSABLE: 400,
    ErrorCode.MISSING_UID: 400,
    ErrorCode.IDENTITY_MISMATCH: 409,
    ErrorCode.INVALID_UID: 400,
    ErrorCode.DUPLICATE_REFUSED: 409,
    ErrorCode.UNSUPPORTED: 415,
    ErrorCode.TOO_LARGE: 413,
    ErrorCode.TOO_SLOW: 408,
    ErrorCode.OUT_OF_RESOURCES: 503,
    ErrorCode.OVER_QUOTA: 429,
    ErrorCode.TOO_MANY_MATCHES: 413,
    ErrorCode.INVALID_QUERY: 400,
    ErrorCode.UNKNOWN_DESTINATION: 404,
    ErrorCode.DESTINATION_UNREACHABLE: 502,
    ErrorCode.CANNOT_CONVERT: 406,
    ErrorCode.CANCELLED: 503,
    ErrorCode.DAMAGED: 500,
    ErrorCode.UNSAFE: 500,
    ErrorCode.IN_USE: 503,
    ErrorCode.USAGE: 400,
    ErrorCode.UNAVAILABLE: 503,
    ErrorCode.INTERNAL: 500,
}


def refusal(error: LeadglassError) -> Response:
    """The answer to `error`. What is wrong inside is not told outside."""
    status = STATUS[error.code]
    detail = error.comment if status < 500 or status == 503 else _INNER
    headers = {}
    if status == 401:
        headers["www-authenticate"] = 'Bearer realm="leadglass"'  # RFC 6750 3; no error parameter: no oracle
    if status == 503:
        headers["retry-after"] = RETRY_SECONDS
    if isinstance(error, OverQuotaError):
        headers["retry-after"] = str(error.retry_after)
    return problem(status, detail, headers)
