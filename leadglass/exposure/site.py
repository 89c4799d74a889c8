"""What a probe is given: the service, the permission, the way out, what is known so far."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from leadglass.exposure.facts import Fact, Facts
from leadglass.exposure.scope import Scope
from leadglass.exposure.service import Service
from leadglass.exposure.streams import Dialer, Stream

MAX_ANSWER = 4 * 1024 * 1024  # bytes that a service may send to one probe unless the probe says otherwise


@dataclass(frozen=True, slots=True)
class Site:
    """One service under audit. `secret` is the run's random key: what is hashed with it in memory is never written.

    `now` gives seconds since 1970, UTC; `facts` holds what earlier probes found.
    """

    service: Service
    scope: Scope
    dialer: Dialer
    now: Callable[[], float]
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    facts: Facts = field(default_factory=Facts)

    def deadline(self, seconds: float | None = None) -> float:
        """In the event loop's time: when a probe that begins now ends, the scope's `probe_timeout` if not given."""
        return asyncio.get_running_loop().time() + (self.scope.pace.probe_timeout if seconds is None else seconds)

    async def connect(self, deadline: float, bound: int = MAX_ANSWER) -> Stream:
        """A connection to the service. Raises Unreachable."""
        return await self.dialer.connect(self.service, deadline=deadline, bound=bound)


Run: TypeAlias = Callable[[Site], Awaitable[Iterable[Fact]]]


@dataclass(frozen=True, slots=True)
class Probe:
    """Asks one service some of the checks, over at most one connection (TLS and HTTP apart, where each says how many).

    `id` is the name of its module. `wanted` says, from what is known, whether it is worth asking: probes run in the
    order of the registry. `run` raises nothing but Unreachable, and then its checks are UNKNOWN with the reason.
    """

    id: str
    checks: tuple[str, ...]
    wanted: Callable[[Facts], bool]
    run: Run
