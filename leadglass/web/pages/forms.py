"""Reading forms, within bounds."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import KIB
from leadglass.web.pages.page import Form

URLENCODED: Final = "application/x-www-form-urlencoded"
_MAX_FORM: Final = 256 * KIB
_MAX_FIELDS: Final = 500


def is_form(request: Request) -> bool:
    """Whether the body is a form. Files do not come in one."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == URLENCODED


async def read_form(request: Request) -> Form:
    """The form in the body of `request`. TOO_LARGE, UNPARSABLE."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _MAX_FORM:
            raise LeadglassError(ErrorCode.TOO_LARGE, "The form is too long.")
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    except (ValueError, UnicodeDecodeError):
        raise LeadglassError(ErrorCode.UNPARSABLE, "The form cannot be read.") from None
    fields: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        fields[name] = (*fields.get(name, ()), value)
    return Form(fields)
