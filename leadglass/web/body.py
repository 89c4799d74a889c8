"""The body of a request as it arrives, within bounds of size and time (RFC 9110 15.5.9, 15.5.14).

Only the time in which we wait for the client counts: while we do not read, its clocks stand still.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.types import Receive

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import BODY_GRACE_SECONDS, BODY_IDLE_SECONDS, BODY_MINIMUM_RATE, MAX_BODY

_RECHECK_SECONDS: Final = 1.0  # how often a long request asks whether its sender may still


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """Bytes, seconds and bytes per second; `grace` is waited before the rate is asked for."""

    size: int = MAX_BODY
    idle: float = BODY_IDLE_SECONDS
    grace: float = BODY_GRACE_SECONDS
    rate: float = BODY_MINIMUM_RATE


def refuse_coding(request: Request) -> None:
    """UNSUPPORTED if the body has a content coding: images hardly shrink, and what inflates is a bomb's way in."""
    codings = {item.strip().lower() for item in ",".join(request.headers.getlist("content-encoding")).split(",")}
    if codings - {"", "identity"}:
        raise LeadglassError(ErrorCode.UNSUPPORTED, "Bodies are taken without a Content-Encoding.")


def announced_size(request: Request) -> int | None:
    """What Content-Length says; None without one or with one that is no number."""
    text = request.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


async def _uncounted(size: int) -> None:
    """Where nobody has a quota."""


async def body_pieces(
    request: Request,
    limits: BodyLimits,
    still_welcome: Callable[[], bool] = lambda: True,
    counted: Callable[[int], Awaitable[None]] = _uncounted,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[bytes]:
    """The body in pieces, none empty. Raises LeadglassError TOO_LARGE before it gives more than `limits` allow, before
    anything is read where the size is announced; TOO_SLOW; NOT_AUTHENTICATED when the sender is no longer welcome;
    CANCELLED when the client has gone. `counted` is told the size of each piece, and may take its time: the client is
    not blamed for that.
    """
    if (announced_size(request) or 0) > limits.size:
        raise _too_large()
    received, waited, checked = 0, 0.0, clock()
    more = True
    while more:
        before = clock()
        patience = min(limits.idle, limits.grace + received / limits.rate - waited)
        piece, more = await _next(request.receive, patience)
        now = clock()
        waited += now - before
        received += len(piece)
        if received > limits.size:
            raise _too_large()
        if now - checked > _RECHECK_SECONDS:
            checked = now
            if not still_welcome():
                raise LeadglassError(ErrorCode.NOT_AUTHENTICATED, "This needs a valid bearer token.")
        if piece:
            await counted(len(piece))
            yield piece


async def _next(receive: Receive, patience: float) -> tuple[bytes, bool]:
    try:
        async with asyncio.timeout(max(patience, 0.0)):
            message = await receive()
    except TimeoutError:
        raise LeadglassError(ErrorCode.TOO_SLOW, "The body of the request does not come in time.") from None
    if message["type"] == "http.disconnect":
        raise LeadglassError(ErrorCode.CANCELLED, "The client has gone.")
    return message.get("body", b""), message.get("more_body", False)


def _too_large() -> LeadglassError:
    return LeadglassError(ErrorCode.TOO_LARGE, "The request is larger than this archive takes at a time.")
