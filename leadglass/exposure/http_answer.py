"""An answer by HTTP as probes see it: bounded, and with no judgement in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_WANTS_TO_KNOW_WHO = (401, 403, 407)
_NOT_ABLE = 500


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Status, headers by lower-case name (the first of a name), and the body as far as it was read.

    `truncated`: there was more of the body than is kept.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool

    @property
    def ok(self) -> bool:
        """Whether the answer is a success."""
        return 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        """Whether the peer wants to know first who is asking."""
        return self.status in _WANTS_TO_KNOW_WHO

    @property
    def not_able(self) -> bool:
        """Whether the peer could not answer (RFC 9110 15.6) or not now (RFC 6585 4): nothing follows from that."""
        return self.status >= _NOT_ABLE or self.status == 429

    @property
    def media_type(self) -> str:
        """Content-Type without parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def json(self) -> Any:
        """The body as JSON, None if it is none. Its depth and its numbers are bounded by the parser."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None
