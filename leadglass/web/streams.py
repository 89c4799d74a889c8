"""Answers that are sent piece by piece: nothing of them is held, and they end when their reader may read no more."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from leadglass.core.limits import KIB
from leadglass.core.ports import Buffer
from leadglass.web.doorway import Call

ASK_SECONDS: Final = 1.0  # between two looks at whether the reader still may read
SEND_SECONDS: Final = 120.0  # without any piece taken, a few MiB at most: slower readers are cut off
SENT_AT_ONCE: Final = 512 * KIB  # of a stream of instances: a fifth quicker than 64 KiB at a time
CRLF: Final = "\r\n"

log = logging.getLogger(__name__)


class CutOffError(Exception):
    """An answer ends before its end. Its reader sees that: the last chunk (RFC 9112 7.1) or length is missing."""


class Pieces(Response):
    """An answer that lies in memory in pieces: they are sent as they are, not joined."""

    def __init__(self, pieces: Sequence[bytes], status: int, headers: Mapping[str, str], media_type: str) -> None:
        super().__init__(None, status, {**headers, "content-length": str(sum(map(len, pieces)))}, media_type)
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send head and pieces."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for piece in self._pieces[:-1]:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": self._pieces[-1] if self._pieces else b""})


class Streamed(Response):
    """An answer that is made while it is sent. `pieces` raises CutOffError to end it early."""

    def __init__(
        self, call: Call, pieces: AsyncIterator[Buffer], status: int, headers: Mapping[str, str], media_type: str
    ) -> None:
        super().__init__(None, status, headers, media_type)
        if "content-length" not in headers:
            del self.headers["content-length"]  # Response has counted an empty body
        self._call = call
        self._pieces = pieces
        self._asked = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, unless the client goes away."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        gone = asyncio.ensure_future(_gone(receive))
        try:
            async with asyncio.timeout(SEND_SECONDS) as deadline:
                async for piece in self._pieces:
                    if gone.done():
                        return
                    self._look_round(deadline)
                    await send({"type": "http.response.body", "body": _bytes(piece), "more_body": True})
                await send({"type": "http.response.body", "body": b""})
        except TimeoutError:
            log.warning("an answer was cut off: its reader is too slow")
            raise CutOffError from None
        except Exception as error:
            log.warning("an answer was cut off: %s", error if isinstance(error, CutOffError) else type(error).__name__)
            raise
        finally:
            gone.cancel()
            await self.close()

    async def close(self) -> None:
        """Make nothing more of it."""
        with contextlib.suppress(Exception):
            await close(self._pieces)

    def _look_round(self, deadline: asyncio.Timeout) -> None:
        """Now and then: it goes on, and may go on."""
        now = time.monotonic()
        if now - self._asked >= ASK_SECONDS:
            self._asked = now
            deadline.reschedule(asyncio.get_running_loop().time() + SEND_SECONDS)
            if not self._call.still_valid():
                raise CutOffError("its reader's rights have changed")


async def close(pieces: AsyncIterator[Buffer]) -> None:
    """End a generator that may not have been used up."""
    end = getattr(pieces, "aclose", None)
    if end is not None:
        await end()


class Begun:
    """Pieces of which the first was made already, so that what is wrong with it could still be answered."""

    def __init__(self, first: Buffer | None, rest: AsyncIterator[Buffer]) -> None:
        self._first = first
        self._rest = rest

    def __aiter__(self) -> Begun:
        return self

    async def __anext__(self) -> Buffer:
        first, self._first = self._first, None
        return await anext(self._rest) if first is None else first

    async def aclose(self) -> None:
        """End the rest."""
        await close(self._rest)


async def begun(pieces: AsyncIterator[Buffer]) -> Begun:
    """`pieces` with the first one made; raises what that raises."""
    return Begun(await anext(pieces, None), pieces)


async def joined(pieces: AsyncIterator[Buffer]) -> AsyncIterator[Buffer]:
    """`pieces` in larger ones: each that is sent costs a hop to the server's thread and back, a copy costs less.

    What was made before an error is given before the error is raised.
    """
    waiting: list[Buffer] = []
    size = 0
    try:
        async for piece in pieces:
            waiting.append(piece)
            size += len(piece)
            if size >= SENT_AT_ONCE:
                yield b"".join(waiting)
                waiting, size = [], 0
        if waiting:
            yield b"".join(waiting)
    except Exception:
        if waiting:
            yield b"".join(waiting)
        raise
    finally:
        await close(pieces)


def part_head(boundary: str, media_type: str, *, first: bool, location: str = "") -> bytes:
    """What stands before a part of a multipart/related (RFC 2046 5.1.1); `location` is the URL of what is in it."""
    lines = [f"{'' if first else CRLF}--{boundary}", f"Content-Type: {media_type}"]
    if location:
        lines.append(f"Content-Location: {location}")
    return CRLF.join([*lines, CRLF]).encode("latin-1")


def parts_end(boundary: str) -> bytes:
    """What stands behind the last part."""
    return f"\r\n--{boundary}--\r\n".encode("latin-1")


def related(part_type: str, boundary: str) -> str:
    """The media type of a multipart/related answer (RFC 2387)."""
    return f'multipart/related; type="{part_type}"; boundary={boundary}'


def _bytes(piece: Buffer) -> bytes:
    """What the server takes quickly: it goes through other buffers byte by byte."""
    return piece if isinstance(piece, bytes) else bytes(piece)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
