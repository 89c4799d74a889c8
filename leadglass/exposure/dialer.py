"""The one way out. No other module of the auditor opens a socket; a test reads the code to prove it."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from leadglass.exposure.scope import Scope
from leadglass.exposure.service import Service
from leadglass.exposure.streams import Reason, Unreachable
from leadglass.exposure.tcp_stream import TcpStream
from leadglass.exposure.turns import Turns

_REASONS = {
    errno.ECONNREFUSED: Reason.REFUSED,
    errno.ECONNRESET: Reason.RESET,
    errno.ETIMEDOUT: Reason.TIMEOUT,
}
_NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM})
_ROOM_TRIES = 6  # for a connection that this machine has no room for, each after twice the wait
_FIRST_WAIT = 0.1  # seconds


class ScopedDialer:
    """A `Dialer` that checks every address against the scope at the last moment, and keeps to its pace.

    `now` is seconds since 1970, UTC. Use it on one event loop.
    """

    def __init__(self, scope: Scope, *, now: Callable[[], float], source: str = "") -> None:
        self._scope = scope
        self._source = (source, 0) if source else None  # an address of this machine to call from, of the same family
        self._now = now
        self._loop = asyncio.get_running_loop()
        self._turns = Turns(scope.pace, self._loop.time)
        self._open: set[TcpStream] = set()
        self._waiting: set[asyncio.Task[Any]] = set()
        self._struck: set[asyncio.Task[Any]] = set()  # by the kill switch
        self._stopped = False
        self._asked = 0  # connections to resolvers
        self.connections = 0  # that were tried

    @property
    def stopped(self) -> bool:
        """Whether nothing goes out any more."""
        return self._stopped

    def stop(self) -> None:
        """The kill switch: no new connection, and every open one ends now. All that wait get STOPPED."""
        self._stopped = True
        for stream in tuple(self._open):
            stream.fail(Reason.STOPPED)
        for task in tuple(self._waiting - {asyncio.current_task()}):
            self._struck.add(task)
            task.cancel()

    async def connect(self, service: Service, *, deadline: float, bound: int) -> TcpStream:
        """See `Dialer.connect`. The wait for a turn is added to the deadline."""
        self._permit(service)
        return await self._connect(service, service.address, deadline, bound)

    async def connect_resolver(self, resolver: Service, *, deadline: float, bound: int) -> TcpStream:
        """See `Dialer.connect_resolver`."""
        self._in_force()
        if resolver not in self._scope.resolvers:
            raise Unreachable(Reason.OUT_OF_SCOPE)
        self._asked += 1  # a host has one connection at a time, a resolver has many: each is a host of its own
        return await self._connect(resolver, f"resolver {self._asked}", deadline, bound)

    async def _connect(self, service: Service, host: str, deadline: float, bound: int) -> TcpStream:
        asked = self._loop.time()
        await self._stoppable(self._turns.take(host))
        deadline += self._loop.time() - asked
        stream = TcpStream(self._loop, deadline, bound, lambda over: self._closed(over, host))
        self._open.add(stream)
        try:
            self._in_force()  # the permission may have ended meanwhile
            await self._stoppable(self._with_room(lambda: self._dial(stream, service, deadline)))
        except BaseException:
            stream.close()
            raise
        return stream

    async def knock(self, service: Service) -> None:
        """Connect and close at once. Raises Unreachable if there is no connection within `connect_timeout`."""
        self._permit(service)
        await self._stoppable(self._turns.take(service.address))
        try:
            self._in_force()
            await self._stoppable(self._with_room(lambda: self._knock(service)))
        finally:
            self._turns.give_back(service.address)

    def _in_force(self) -> None:
        if self._stopped or not self._scope.in_force(self._now()):
            raise Unreachable(Reason.STOPPED)

    def _permit(self, service: Service) -> None:
        self._in_force()
        if not self._scope.permits(service):
            raise Unreachable(Reason.OUT_OF_SCOPE)

    def _closed(self, stream: TcpStream, host: str) -> None:
        self._open.discard(stream)
        self._turns.give_back(host)

    async def _dial(self, stream: TcpStream, service: Service, deadline: float) -> None:
        until = min(deadline, self._loop.time() + self._scope.pace.connect_timeout)
        async with asyncio.timeout_at(until):
            await self._loop.create_connection(lambda: stream, service.address, service.port, local_addr=self._source)

    async def _knock(self, service: Service) -> None:
        family = socket.AF_INET6 if ":" in service.address else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as door:
            door.setblocking(False)
            code = door.connect_ex((service.address, service.port))
            if code == errno.EINPROGRESS:
                async with asyncio.timeout(self._scope.pace.connect_timeout):
                    await self._loop.sock_connect(door, (service.address, service.port))
            elif code:
                raise OSError(code, "")

    async def _with_room(self, attempt: Callable[[], Awaitable[None]]) -> None:
        """Try, and if this machine has no room for a connection, wait and try again, more slowly from then on."""
        wait = _FIRST_WAIT
        for _ in range(_ROOM_TRIES):
            self.connections += 1
            try:
                await attempt()
            except TimeoutError:
                raise Unreachable(Reason.TIMEOUT) from None
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    raise Unreachable(_REASONS.get(error.errno or 0, Reason.NO_ROUTE)) from None
            else:
                return
            self._turns.slow_down()
            await asyncio.sleep(wait)
            wait *= 2
        self.stop()
        raise Unreachable(Reason.STOPPED)

    async def _stoppable(self, waits: Awaitable[None]) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._waiting.add(task)
        try:
            await waits
        except asyncio.CancelledError:
            if task not in self._struck:
                raise
            task.uncancel()
            raise Unreachable(Reason.STOPPED) from None
        finally:
            self._waiting.discard(task)
            self._struck.discard(task)
