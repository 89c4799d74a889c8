"""A TCP connection as a `Stream`: one deadline and one bound for all of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from leadglass.exposure.streams import Reason, Unreachable

_HIGH_WATER = 256 * 1024  # bytes that wait for a probe before the peer is no longer read


class TcpStream(asyncio.Protocol):
    """Made by the dialer, one for a connection. `closed` is called once, when the connection is over."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, deadline: float, bound: int, closed: Callable[[TcpStream], None]
    ) -> None:
        self._loop = loop
        self._bound = bound
        self._closed = closed
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._received = 0
        self._paused = False
        self._ended = False  # the peer sends no more
        self._failure: Reason | None = None
        self._over = False
        self._waiter: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._congested = False
        self._timer = loop.call_at(deadline, self.fail, Reason.TIMEOUT)

    # --- for probes ---------------------------------------------------------------------------------------------

    async def read(self, limit: int = 65536) -> bytes:
        """See `Stream.read`."""
        while not self._buffer:
            self._check()
            if self._ended:
                return b""
            await self._wait()
        return self._take(limit)

    async def read_exactly(self, count: int) -> bytes:
        """See `Stream.read_exactly`."""
        while len(self._buffer) < count:
            self._check()
            if self._ended:
                raise Unreachable(Reason.RESET)
            self._resume()
            await self._wait()
        return self._take(count)

    async def write(self, data: bytes) -> None:
        """See `Stream.write`."""
        self._check()
        if self._transport is None or self._transport.is_closing():
            raise Unreachable(Reason.RESET)
        self._transport.write(data)
        while self._congested:
            self._writable = self._loop.create_future()
            await self._writable
            self._check()

    def close(self) -> None:
        """See `Stream.close`."""
        self._finish()

    # --- for the dialer -----------------------------------------------------------------------------------------

    def fail(self, reason: Reason) -> None:
        """End the connection; whoever waits is told why."""
        if self._failure is None and not self._over:
            self._failure = reason
        self._finish()

    # --- for the event loop -------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        if self._over:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Some bytes of the peer."""
        self._received += len(data)
        if self._received > self._bound:
            self.fail(Reason.TOO_MUCH)
            return
        self._buffer += data
        if len(self._buffer) > _HIGH_WATER and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        """The peer sends no more; what is to be said to it may still be said."""
        self._ended = True
        self._wake()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over."""
        if exc is not None and self._failure is None and not self._ended:
            self._failure = Reason.RESET
        self._ended = True
        self._finish()

    def pause_writing(self) -> None:
        """The system takes no more for now."""
        self._congested = True

    def resume_writing(self) -> None:
        """The system takes more."""
        self._congested = False
        self._wake()

    # --- inside -------------------------------------------------------------------------------------------------

    def _check(self) -> None:
        if self._failure is not None:
            raise Unreachable(self._failure)

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _take(self, limit: int) -> bytes:
        taken = bytes(self._buffer[:limit])
        del self._buffer[:limit]
        if len(self._buffer) <= _HIGH_WATER:
            self._resume()
        return taken

    def _resume(self) -> None:
        if self._paused and self._transport is not None and not self._over:
            self._paused = False
            self._transport.resume_reading()

    def _wake(self) -> None:
        for waiter in (self._waiter, self._writable):
            if waiter is not None and not waiter.done():
                waiter.set_result(None)

    def _finish(self) -> None:
        if self._over:
            return
        self._over = True
        self._ended = True
        self._congested = False
        self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()
        self._wake()
        self._closed(self)
