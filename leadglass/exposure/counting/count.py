"""Counts the studies of an archive by windows, and says "exact" only when it can prove it.

Exact, when every window ended with success under the cap, every answer lay inside its window, the fullest window gave
the same again in parts that are each less full (a server that cuts answers off silently cannot do that, whatever its
limit), and a count without windows, or the product's own, agrees. In every other case it is "at least", with reasons.

One thing no question can tell: that a server's silent limit is the very number of its dated studies, and that there
are others without a date behind them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from leadglass.exposure.counting.rows import Answers, Ask
from leadglass.exposure.counting.tally import Tally
from leadglass.exposure.counting.windows import Window
from leadglass.exposure.streams import Reason, Unreachable
from leadglass.exposure.upper_layer import Ended

CAP = 1000  # answers to one query
MAX_QUERIES = 5000  # of one service; a hundred thousand studies take some hundred
MAX_UNCAPPED = 200_000  # answers of the one query that has to agree

IGNORED = "The server answered with studies outside of the dates it was asked for."
CUT_OFF = "The server cuts long answers off without saying so."
TOO_DENSE = "More studies lie within one second than one answer may hold."
DISAGREES = "A count without dates does not agree: some studies have no date, or the server limits its answers."
UNPROVEN = "The fullest answer could not be divided to see whether it was cut off."
UNDATED = "Some studies have no date or time, and no range finds them."
TOO_MANY = "The count was ended after as many queries as one service is asked."
ENDED = "The connection ended before the count did."
NO_SECOND = "No second count was to be had that agrees."


@dataclass(slots=True)
class Count:
    """What was counted; `reasons` is empty if the count is exact."""

    tally: Tally = field(default_factory=Tally)
    reasons: list[str] = field(default_factory=list)
    queries: int = 0

    @property
    def exact(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.reasons

    def doubt(self, reason: str) -> None:
        """Say once why it may be more."""
        if reason not in self.reasons:
            self.reasons.append(reason)


class _Enough(Exception):  # noqa: N818 - the count ends here, with what is known
    pass


async def count(ask: Ask, *, product_count: int | None = None, cap: int = CAP) -> Count:
    """Count the studies that `ask` tells of. Raises Unreachable only if the audit was stopped."""
    counter = _Counter(ask, cap)
    try:
        await counter.run(product_count)
    except _Enough:
        pass
    except (Ended, Unreachable) as ended:
        if isinstance(ended, Unreachable) and ended.reason is Reason.STOPPED:
            raise
        counter.result.doubt(ENDED)
    return counter.result


class _Counter:
    def __init__(self, ask: Ask, cap: int) -> None:
        self._ask = ask
        self._cap = cap
        self.result = Count()
        self._sizes: list[tuple[int, Window]] = []  # of windows that were answered whole
        self._found_again: set[bytes] = set()  # the studies in them

    async def run(self, product_count: int | None) -> None:
        windows = [Window()]
        while windows:
            window = windows.pop()
            answers = await self._asked(window)
            if answers.whole:
                self._sizes.append((len(answers.rows), window))
                self._found_again.update(row.study for row in answers.rows)
                continue
            parts = window.divided()
            if not parts:
                self.result.doubt(TOO_DENSE)
            windows += reversed(parts)
        if len(self._found_again) < len(self.result.tally.studies):
            self.result.doubt(UNDATED)  # seen in an answer that was cut off, and in no range since
        await self._prove()
        await self._agree(product_count)

    async def _asked(self, window: Window, cap: int | None = None) -> Answers:
        if self.result.queries >= MAX_QUERIES or self.result.tally.full:
            self.result.doubt(TOO_MANY)
            raise _Enough
        self.result.queries += 1
        answers = await self._ask(window, cap or self._cap)
        self.result.tally.add(answers.rows)
        if not all(window.holds(row.date, row.seconds) for row in answers.rows):
            self.result.doubt(IGNORED)
            raise _Enough  # windows mean nothing here
        return answers

    async def _prove(self) -> None:
        """Take the fullest window apart. A server that cuts off anywhere does so at the fullest answer of all."""
        size, window = max(self._sizes, key=lambda item: item[0], default=(0, Window()))
        while size > 1:
            parts = window.divided()
            if not parts:
                self.result.doubt(UNPROVEN)
                return
            answers = [await self._asked(part) for part in parts]
            sizes = [len(answer.rows) for answer in answers]
            if sum(sizes) > size or not all(answer.whole for answer in answers):
                self.result.doubt(CUT_OFF)
            elif sum(sizes) < size:
                self.result.doubt(UNDATED)
            elif max(sizes) == size:  # all of them in one part: it may be cut off at the same place
                window = parts[sizes.index(size)]
                continue
            return

    async def _agree(self, product_count: int | None) -> None:
        counted = len(self.result.tally.studies)
        if self.result.tally.undated and product_count is None:
            self.result.doubt(UNDATED)
        if product_count is not None:
            if product_count != counted:
                self.result.doubt(DISAGREES)
            return
        if len(self._sizes) == 1 and self._sizes[0][1].everything:
            return  # it was counted without windows, and proven in halves
        if counted > MAX_UNCAPPED:
            self.result.doubt(NO_SECOND)
            return
        answers = await self._asked(Window(), cap=MAX_UNCAPPED)
        others = len(self.result.tally.studies) - counted  # as many answers may still be other studies
        if not answers.whole or others or len({row.study for row in answers.rows}) != counted:
            self.result.doubt(DISAGREES)
