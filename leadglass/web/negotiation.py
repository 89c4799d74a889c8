"""Which representation a request asks for (RFC 9110 12.5; PS3.18 8.7): Accept, its quality and parameters.

Where a request has an `accept` query parameter it goes before the header (PS3.18 8.3.3.1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from starlette.requests import Request

from leadglass.core.errors import ErrorCode, LeadglassError

MAX_ACCEPT: Final = 8192  # characters; browsers send under 300
MAX_RANGES: Final = 64
ANY_SYNTAX: Final = "*"

_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # RFC 9110 5.6.2
_RANGE: Final = re.compile(rf"\s*({_WORD})/({_WORD})\s*")
_PARAMETER: Final = re.compile(rf';\s*(?:({_WORD})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]+)))?\s*')


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One range of an Accept header. `kind` is lower case; parameters' names are, their values are not."""

    kind: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    quality: float = 1.0

    @property
    def part(self) -> str:
        """The type of the parts of a multipart/related, lower case; empty if none is asked for."""
        return self.parameters.get("type", "").lower()

    @property
    def syntax(self) -> str:
        """The transfer syntax asked for: a UID, "*" for any, or empty for the default."""
        return self.parameters.get("transfer-syntax", "")

    def covers(self, kind: str) -> bool:
        """Whether `kind` is within this range."""
        return self.kind in (kind, "*/*") or (self.kind.endswith("/*") and kind.startswith(self.kind[:-1]))


def accepted(request: Request) -> tuple[MediaRange, ...]:
    """The ranges that a request accepts, best first; anything if it says nothing. CANNOT_CONVERT if unreadable."""
    asked = request.query_params.getlist("accept")
    text = ", ".join(asked or request.headers.getlist("accept"))
    return parse_accept(text)


@lru_cache(256)  # a client says the same each time
def parse_accept(text: str) -> tuple[MediaRange, ...]:
    """The ranges of an Accept header by quality; equal ones in their order. CANNOT_CONVERT if it is unreadable."""
    if not text.strip():
        return (MediaRange("*/*"),)
    if len(text) > MAX_ACCEPT:
        raise _unreadable()
    ranges: list[MediaRange] = []
    position = 0
    while position < len(text):
        found, position = _range_at(text, position)
        ranges.append(found)
        if len(ranges) > MAX_RANGES:
            raise _unreadable()
        if position < len(text):
            if text[position] != ",":
                raise _unreadable()
            position += 1
    wanted = [item for item in ranges if item.quality > 0]
    return tuple(sorted(wanted, key=lambda item: -item.quality))


def media_type(text: str) -> MediaRange:
    """A Content-Type (RFC 9110 8.3). UNSUPPORTED if it is missing or unreadable."""
    try:
        found, end = _range_at(text[:MAX_ACCEPT], 0)
    except LeadglassError:
        end = -1
    if end != len(text):
        raise LeadglassError(ErrorCode.UNSUPPORTED, "The Content-Type is missing or cannot be read.")
    return found


def first_offered(ranges: Sequence[MediaRange], offers: Sequence[str]) -> tuple[MediaRange, str]:
    """The best range that covers one of `offers` (in our order of preference), and that offer. CANNOT_CONVERT if none.

    A multipart/related range is compared by the type of its parts: an offer "multipart/related;T" has parts of type T.
    """
    for item in ranges:
        for offer in offers:
            kind, _, part = offer.partition(";")
            if item.covers(kind) and (not part or not item.part or item.part in (part, "*/*")):
                return item, offer
    raise LeadglassError(ErrorCode.CANNOT_CONVERT, f"Offered here: {', '.join(offer_text(offer) for offer in offers)}.")


def offer_text(offer: str) -> str:
    """An offer of `first_offered` as a media type."""
    kind, _, part = offer.partition(";")
    return f'{kind}; type="{part}"' if part else kind


def _range_at(text: str, position: int) -> tuple[MediaRange, int]:
    found = _RANGE.match(text, position)
    if found is None:
        raise _unreadable()
    kind = f"{found[1]}/{found[2]}".lower()
    parameters: dict[str, str] = {}
    position = found.end()
    while position < len(text) and text[position] == ";":
        piece = _PARAMETER.match(text, position)
        if piece is None:
            raise _unreadable()
        if piece[1]:
            quoted, plain = piece[2], piece[3]
            value = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            parameters.setdefault(piece[1].lower(), value)
        position = piece.end()
    return MediaRange(kind, parameters, _quality(parameters.pop("q", "1"))), position


def _quality(text: str) -> float:
    if not re.fullmatch(r"0(\.\d{0,3})?|1(\.0{0,3})?", text):
        raise _unreadable()
    return float(text)


def _unreadable() -> LeadglassError:
    return LeadglassError(ErrorCode.CANNOT_CONVERT, "The Accept header cannot be read.")
