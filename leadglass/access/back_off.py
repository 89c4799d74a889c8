"""Limits on guessing at people's accounts. Pure counting; time is an argument, in seconds that never go back.

Three counts: different names from one network (TitleGuard: who tries out names), failures at one name from one network,
and failures at one name from everywhere. A pair of network and name that was let in before is bound by its own count
alone, so that somebody who guesses elsewhere does not lock the owner out. While a name is put off nothing is looked at
and nothing counted: guessing on shows nothing, and does not make the wait longer.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from leadglass.access.limits import TitleGuard

FREE_FAILURES: Final = 5  # typing errors
FIRST_WAIT: Final = 30.0  # seconds; doubled by every further failure ...
LONGEST_WAIT: Final = 3600.0  # ... up to this: 24 guesses a day at six digits find them in a hundred years
FORGOTTEN: Final = 24 * 3600.0  # after so long without a failure
MAX_COUNTS: Final = 16_384

_ANYWHERE: Final = ""


@dataclass(slots=True)
class _Failures:
    count: int
    last: float


class SignInGuard:
    """Says when a sign-in is not to be looked at."""

    def __init__(self) -> None:
        self._names = TitleGuard()
        self._failures: OrderedDict[tuple[str, str], _Failures] = OrderedDict()
        self._proved: OrderedDict[tuple[str, str], None] = OrderedDict()

    def puts_off(self, network: str, name: str, now: float) -> bool:
        """Whether a sign-in as `name` from `network` is put off, right or wrong."""
        if self._names.puts_off(network, name, now):
            return True
        places = (network,) if (network, name) in self._proved else (network, _ANYWHERE)
        return any(self._waits((place, name), now) for place in places)

    def note_wrong(self, network: str, name: str, now: float) -> bool:
        """It failed; whether that was the one that makes further ones wait."""
        self._names.note_refused(network, name, now)
        counts = [self._count((place, name), now) for place in (network, _ANYWHERE)]
        return FREE_FAILURES in counts

    def note_right(self, network: str, name: str) -> None:
        """Somebody proved all that is asked for: who it is, and not a part of it."""
        self._names.note_admitted(network, name)
        for place in (network, _ANYWHERE):
            self._failures.pop((place, name), None)
        self._proved[network, name] = None
        self._proved.move_to_end((network, name))
        if len(self._proved) > MAX_COUNTS:
            self._proved.popitem(last=False)

    def _count(self, key: tuple[str, str], now: float) -> int:
        known = self._failures.get(key)
        count = known.count + 1 if known is not None and now - known.last < FORGOTTEN else 1
        self._failures[key] = _Failures(count, now)
        self._failures.move_to_end(key)
        if len(self._failures) > MAX_COUNTS:
            self._failures.popitem(last=False)
        return count

    def _waits(self, key: tuple[str, str], now: float) -> bool:
        known = self._failures.get(key)
        if known is None or known.count < FREE_FAILURES:
            return False
        exponent = min(known.count - FREE_FAILURES, 16)
        return now - known.last < min(FIRST_WAIT * 2.0**exponent, LONGEST_WAIT)
