"""How much one principal may ask for at a time, so that a program that exports everything starves nobody.

A quota is kept by name in each web process for itself: requests and bytes flow into two buckets that empty evenly.
What is too much is refused before it begins (OverQuotaError); an answer that is under way is slowed down, not cut off.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import ceil
from typing import Final

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent, Outcome
from leadglass.core.limits import MIB
from leadglass.core.principal import Principal
from leadglass.services.admission import EventSink

BURST_SECONDS: Final = 10.0  # of requests at once, before the rate counts
MINUTE: Final = 60.0
EXPORT_RETRY: Final = 5  # seconds; how long an export still takes is not known
MAX_PAUSE: Final = 30.0  # seconds of one pause; whoever reads is looked at again after it
MAX_ACCOUNTS: Final = 4096  # names; one that is forgotten begins with a full allowance


@dataclass(frozen=True, slots=True)
class QuotaLimits:
    """What each name may have of one web process: requests per second, bytes per minute, exports at a time."""

    requests: int = 3_000  # more than one process can answer of the cheapest kind for long
    bytes_minute: int = 65_536 * MIB  # a line of 10 Gbit/s, filled
    exports: int = 16


class OverQuotaError(LeadglassError):
    """Too much was asked for; `retry_after` seconds later it may be asked for again."""

    def __init__(self, what: str, comment: str, retry_after: int) -> None:
        super().__init__(ErrorCode.OVER_QUOTA, comment)
        self.what = what
        self.retry_after = retry_after


class _Bucket:
    """Fills with `rate` per second up to `capacity`; may be drawn below nothing."""

    def __init__(self, rate: float, capacity: float, now: float) -> None:
        self._rate, self._capacity = rate, capacity
        self._level, self._filled = capacity, now

    def draw(self, amount: float, now: float) -> None:
        self._fill(now)
        self._level -= amount

    def wait(self, amount: float, now: float) -> float:
        """Seconds until `amount` is there."""
        self._fill(now)
        return max(0.0, (amount - self._level) / self._rate)

    def _fill(self, now: float) -> None:
        self._level = min(self._capacity, self._level + max(0.0, now - self._filled) * self._rate)
        self._filled = now


class _Account:
    def __init__(self, limits: QuotaLimits, now: float) -> None:
        self.requests = _Bucket(limits.requests, limits.requests * BURST_SECONDS, now)
        self.bytes = _Bucket(limits.bytes_minute / MINUTE, limits.bytes_minute, now)
        self.exports = 0


class Lease:
    """One request that is being answered. To be ended once, whatever becomes of it."""

    def __init__(
        self, account: _Account, export: bool, now: Callable[[], float], pause: Callable[[float], Awaitable[None]]
    ) -> None:
        self._account = account
        self._export = export
        self._now = now
        self._pause = pause

    async def sent(self, size: int, *, more: bool) -> None:
        """`size` bytes have gone out; waits until there may be `more`."""
        self._account.bytes.draw(size, self._now())
        delay = self._account.bytes.wait(0.0, self._now()) if more else 0.0
        if delay > 0.0:
            await self._pause(min(delay, MAX_PAUSE))

    def end(self) -> None:
        """The answer is over. Safe to call again."""
        if self._export:
            self._export = False
            self._account.exports -= 1


class Quotas:
    """The accounts of all that ask one process. `now` never goes back; times are seconds."""

    def __init__(
        self,
        limits: QuotaLimits = QuotaLimits(),
        *,
        refusals: EventSink | None = None,
        now: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._limits = limits
        self._refusals = refusals
        self._now = now
        self._pause = pause
        self._accounts: OrderedDict[str, _Account] = OrderedDict()

    def begin(self, principal: Principal, *, export: bool) -> Lease:
        """Count a request; an `export` holds one of its places until it ends. OverQuotaError if it is too much."""
        account, now = self._account(principal.name), self._now()
        try:
            self._require(account, export, now)
        except OverQuotaError as error:
            self._note(principal, error)
            raise
        account.requests.draw(1.0, now)
        account.exports += export
        return Lease(account, export, self._now, self._pause)

    def _require(self, account: _Account, export: bool, now: float) -> None:
        delay = account.requests.wait(1.0, now)
        if delay > 0.0:
            raise OverQuotaError("requests", "There are too many requests of this token.", ceil(delay))
        delay = account.bytes.wait(0.0, now)
        if delay > 0.0:
            raise OverQuotaError("bytes", "This token has been sent as much as it may be for now.", ceil(delay))
        if export and account.exports >= self._limits.exports:
            comment = f"This token already has {self._limits.exports} retrievals of whole series or studies under way."
            raise OverQuotaError("exports", comment, EXPORT_RETRY)

    def _account(self, name: str) -> _Account:
        account = self._accounts.get(name)
        if account is None:
            account = self._accounts[name] = _Account(self._limits, self._now())
            if len(self._accounts) > MAX_ACCOUNTS:
                self._forget_one()
        self._accounts.move_to_end(name)
        return account

    def _forget_one(self) -> None:
        """The longest unused without an export."""
        idle = next((name for name, account in self._accounts.items() if not account.exports), None)
        if idle is not None:
            del self._accounts[idle]

    def _note(self, principal: Principal, error: OverQuotaError) -> None:
        if self._refusals is None:
            return
        details: dict[str, str | int] = {"reason": f"{error.what} {principal.name}"}
        kind, outcome = EventKind.SECURITY_ALERT, Outcome.MINOR_FAILURE
        self._refusals.record(JournalEvent(kind, "over-quota", principal.name, principal.address, outcome, details))
