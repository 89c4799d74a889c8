"""How much one principal may ask for at a time, so that a program that exports everything starves nobody.

A quota is kept by name: requests and bytes are drawn from two buckets that fill evenly, bytes in both directions. What
is too much is refused before it begins (OverQuotaError); what is under way is slowed down, not cut off.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import ceil
from typing import Final

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent, Outcome
from leadglass.core.limits import MIB
from leadglass.core.principal import Principal
from leadglass.services.admission import EventSink
from leadglass.services.quota_ledger import Bucket, Ledger, OwnLedger, Standing

BURST_SECONDS: Final = 10.0  # of requests at once, before the rate counts
MINUTE: Final = 60.0
EXPORT_RETRY: Final = 5  # seconds; how long an export still takes is not known
MAX_PAUSE: Final = 30.0  # seconds of one pause; whoever reads is looked at again after it


@dataclass(frozen=True, slots=True)
class QuotaLimits:
    """What each name may have: requests per second, bytes per minute (in and out), exports at a time."""

    requests: int = 6_000  # more than two processes can answer of the cheapest kind for long
    bytes_minute: int = 65_536 * MIB  # a line of 10 Gbit/s, filled
    exports: int = 16


class OverQuotaError(LeadglassError):
    """Too much was asked for; `retry_after` seconds later it may be asked for again."""

    def __init__(self, what: str, comment: str, retry_after: int) -> None:
        super().__init__(ErrorCode.OVER_QUOTA, comment)
        self.what = what
        self.retry_after = retry_after


class _Pace:
    """How a bucket fills: `rate` per second up to `capacity`. It may be drawn below nothing."""

    def __init__(self, rate: float, capacity: float) -> None:
        self._rate, self._capacity = rate, capacity

    def full(self, now: float) -> Bucket:
        return Bucket(self._capacity, now)

    def draw(self, bucket: Bucket, amount: float, now: float) -> None:
        self._fill(bucket, now)
        bucket.level -= amount

    def wait(self, bucket: Bucket, amount: float, now: float) -> float:
        """Seconds until `amount` is there."""
        self._fill(bucket, now)
        return max(0.0, (amount - bucket.level) / self._rate)

    def _fill(self, bucket: Bucket, now: float) -> None:
        bucket.level = min(self._capacity, bucket.level + max(0.0, now - bucket.filled) * self._rate)
        bucket.filled = now


class Lease:
    """One request that is being answered. To be ended once, whatever becomes of it."""

    def __init__(self, quotas: Quotas, name: str, export: bool) -> None:
        self._quotas = quotas
        self._name = name
        self._export = export

    async def moved(self, size: int, *, more: bool = True) -> None:
        """`size` bytes of it have come in or gone out; waits until there may be `more`."""
        await self._quotas.moved(self._name, size, more=more)

    def end(self) -> None:
        """The answer is over. Safe to call again."""
        if self._export:
            self._export = False
            self._quotas.ended(self._name)


class Quotas:
    """The quotas of all that ask, kept in `ledger`. `now` never goes back; times are seconds."""

    def __init__(
        self,
        limits: QuotaLimits = QuotaLimits(),
        *,
        refusals: EventSink | None = None,
        ledger: Ledger | None = None,
        now: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._limits = limits
        self._requests = _Pace(limits.requests, limits.requests * BURST_SECONDS)
        self._bytes = _Pace(limits.bytes_minute / MINUTE, limits.bytes_minute)
        self._refusals = refusals
        self._ledger = ledger or OwnLedger()
        self._now = now
        self._pause = pause

    def begin(self, principal: Principal, *, export: bool) -> Lease:
        """Count a request; an `export` holds one of its places until it ends. OverQuotaError if it is too much."""
        with self._ledger.of(principal.name, self._fresh) as standing:
            now = self._now()
            refusal = self._against(standing, export, now)
            if refusal is None:
                self._requests.draw(standing.requests, 1.0, now)
                standing.exports += export
        if refusal is not None:
            self._note(principal, refusal)
            raise refusal
        return Lease(self, principal.name, export)

    async def moved(self, name: str, size: int, *, more: bool) -> None:
        """Count bytes of a lease, see there."""
        with self._ledger.of(name, self._fresh) as standing:
            self._bytes.draw(standing.bytes, size, self._now())
            delay = self._bytes.wait(standing.bytes, 0.0, self._now()) if more else 0.0
        if delay > 0.0:
            await self._pause(min(delay, MAX_PAUSE))

    def ended(self, name: str) -> None:
        """Give the place of an export back."""
        with self._ledger.of(name, self._fresh) as standing:
            standing.exports = max(0, standing.exports - 1)

    def _fresh(self) -> Standing:
        now = self._now()
        return Standing(self._requests.full(now), self._bytes.full(now))

    def _against(self, standing: Standing, export: bool, now: float) -> OverQuotaError | None:
        delay = self._requests.wait(standing.requests, 1.0, now)
        if delay > 0.0:
            return OverQuotaError("requests", "There are too many requests of this token.", ceil(delay))
        delay = self._bytes.wait(standing.bytes, 0.0, now)
        if delay > 0.0:
            return OverQuotaError("bytes", "This token has moved as many bytes as it may for now.", ceil(delay))
        if export and standing.exports >= self._limits.exports:
            comment = f"This token already has {self._limits.exports} retrievals of whole series or studies under way."
            return OverQuotaError("exports", comment, EXPORT_RETRY)
        return None

    def _note(self, principal: Principal, error: OverQuotaError) -> None:
        if self._refusals is None:
            return
        details: dict[str, str | int] = {"reason": f"{error.what} {principal.name}"}
        kind, outcome = EventKind.SECURITY_ALERT, Outcome.MINOR_FAILURE
        self._refusals.record(JournalEvent(kind, "over-quota", principal.name, principal.address, outcome, details))
