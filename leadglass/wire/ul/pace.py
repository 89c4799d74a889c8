"""Deadlines of a peer's sending: per PDU absolute, per message a minimum rate, between messages an idle time.

Time in which *we* do not read (back-pressure) is not held against the peer.
"""

from __future__ import annotations

from math import inf

from leadglass.wire.ul.timings import Timings


class Pace:
    """Watches one association. All times are the caller's monotonic seconds."""

    def __init__(self, timings: Timings, now: float) -> None:
        self.idle_timeout = timings.idle
        self._timings = timings
        self._last_activity = now
        self._pdu_started: float | None = None
        self._message_started: float | None = None
        self._message_bytes = 0
        self._held_since: float | None = None

    def activity(self, now: float) -> None:
        """Something was sent or received."""
        self._last_activity = now

    def pdu_state(self, now: float, *, inside: bool, fresh: bool) -> None:
        """After a read: whether a PDU is unfinished, and whether it began with this read (`fresh`)."""
        if not inside:
            self._pdu_started = None
        elif fresh or self._pdu_started is None:
            self._pdu_started = now

    def message_received(self, count: int, now: float) -> None:
        """`count` more bytes of a message; the first call after `message_ended` begins it."""
        if self._message_started is None:
            self._message_started = now
            self._message_bytes = 0
        self._message_bytes += count

    def message_ended(self) -> None:
        """The message is complete: the minimum rate is no longer asked for."""
        self._message_started = None

    def hold(self, now: float) -> None:
        """We stop reading: the peer's clocks stand still."""
        if self._held_since is None:
            self._held_since = now

    def resume(self, now: float) -> None:
        """We read again: what stood still is not counted."""
        if self._held_since is None:
            return
        pause = now - self._held_since
        self._held_since = None
        self._last_activity = now
        if self._pdu_started is not None:
            self._pdu_started += pause
        if self._message_started is not None:
            self._message_started += pause

    def deadline(self, *, with_idle: bool) -> tuple[float, str]:
        """The earliest deadline and what it is about ("pdu", "message" or "idle"); infinity while held."""
        earliest = (inf, "")
        if self._held_since is not None:
            return earliest
        if with_idle:
            earliest = (self._last_activity + self.idle_timeout, "idle")
        if self._message_started is not None:
            earned = self._message_bytes / self._timings.minimum_rate
            earliest = min(earliest, (self._message_started + self._timings.message_grace + earned, "message"))
        if self._pdu_started is not None:
            earliest = min(earliest, (self._pdu_started + self._timings.pdu, "pdu"))
        return earliest
