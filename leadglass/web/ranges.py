"""Byte ranges of an answer (RFC 9110 14)."""

from __future__ import annotations

import re
from typing import Final

from starlette.requests import Request

_ONE: Final = re.compile(r"bytes=\s*([0-9]{0,18})-([0-9]{0,18})\s*", re.ASCII | re.IGNORECASE)


class UnsatisfiableError(Exception):
    """The range lies behind the end: 416."""


def asked_range(request: Request, length: int, tag: str) -> tuple[int, int] | None:
    """(first, behind) of the single range that is asked for; None for the whole.

    Several ranges, other units and what is malformed are passed over, as RFC 9110 14.2 allows: the answer then is the
    whole. So is a range of another version (If-Range), and one of any method but GET. Raises UnsatisfiableError.
    """
    if request.method != "GET":
        return None
    condition = request.headers.get("if-range")
    found = _ONE.fullmatch(request.headers.get("range", ""))
    if found is None or (condition is not None and condition.strip() != tag) or not (found[1] or found[2]):
        return None
    if found[1]:
        first, behind = int(found[1]), min(int(found[2] or length) + 1, length)
        if int(found[2] or found[1]) < first:
            return None  # malformed: its end comes before its start
    else:
        first, behind = max(length - int(found[2]), 0), length
    if first >= behind:
        raise UnsatisfiableError
    return first, behind
