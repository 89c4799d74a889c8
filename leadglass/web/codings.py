"""Which content codings a client can read (RFC 9110 12.5.3): asked here for every answer that could be compressed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from starlette.requests import Request

_MOST: Final = 32  # codings looked at; browsers name four


def coding_for(request: Request, offered: Iterable[str]) -> str:
    """The one of `offered` (in our order of preference) that the client would rather read; empty if it reads none."""
    return best_coding(",".join(request.headers.getlist("accept-encoding")), offered)


def best_coding(header: str, offered: Iterable[str]) -> str:
    """As `coding_for`, of the header's text. A coding that is not named counts as `*` does; q=0 forbids it."""
    qualities = _qualities(header)
    wanted = {name: qualities.get(name, qualities.get("*", 0.0)) for name in offered}
    best = max(wanted.values(), default=0.0)
    return next((name for name, quality in wanted.items() if quality == best and quality > 0), "")


def _qualities(header: str) -> Mapping[str, float]:
    found: dict[str, float] = {}
    for item in header.lower().split(",")[:_MOST]:
        name, _, parameter = item.strip().partition(";")
        found[name.strip()] = _quality(parameter.strip())
    return found


def _quality(parameter: str) -> float:
    """What is no quality counts as 0: better sent plain than unreadable."""
    try:
        quality = float(parameter.removeprefix("q=") or 1)
    except ValueError:
        return 0.0
    return quality if 0 <= quality <= 1 else 0.0
