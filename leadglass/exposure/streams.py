"""A connection as probes see it, and every way in which there is none."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from leadglass.exposure.service import Service


class Reason(StrEnum):
    """Why there is no connection, or no more of it."""

    REFUSED = "refused"  # the port is closed
    TIMEOUT = "timeout"  # nothing was heard in the time given
    NO_ROUTE = "no-route"  # the network or the host said so
    RESET = "reset"  # the peer broke the connection off
    TLS = "tls"  # no TLS session came about
    TOO_MUCH = "too-much"  # the peer sent more than the probe's bound
    OUT_OF_SCOPE = "out-of-scope"
    STOPPED = "stopped"  # the audit ends: kill switch, end of the permission, congestion


class Unreachable(Exception):  # noqa: N818 - a state of the peer, not an error of ours
    """There is no connection to the service, or no longer. `reason` says why; no word of the peer is in it."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class Stream(Protocol):
    """Bytes both ways, each wait bounded by the deadline with which the stream was opened.

    Every method that waits raises Unreachable: TIMEOUT at the deadline, RESET when the peer breaks off, TOO_MUCH when
    it sent more than the bound in all. `close` never raises and may be called twice.
    """

    async def read(self, limit: int = 65536) -> bytes:
        """At least one byte and at most `limit`, or b"" at the end of what the peer sends."""
        ...

    async def read_exactly(self, count: int) -> bytes:
        """`count` bytes, RESET if the peer ends before."""
        ...

    async def write(self, data: bytes) -> None:
        """Hand all of it to the system, waiting while its buffer is full."""
        ...

    def close(self) -> None:
        """End the connection at once, without waiting for the peer."""
        ...


class Dialer(Protocol):
    """The only way out: each connection is checked against the scope, paced, and counted."""

    async def connect(self, service: Service, *, deadline: float, bound: int) -> Stream:
        """A connection to an address of the scope. Waits for its turn: one at a time for a host.

        `deadline` is in the event loop's time, for the connection and all reads and writes on it; `bound` is how many
        bytes the peer may send. Raises Unreachable.
        """
        ...

    async def connect_resolver(self, resolver: Service, *, deadline: float, bound: int) -> Stream:
        """The same to a resolver that the scope names; it is not paced as a host is."""
        ...
