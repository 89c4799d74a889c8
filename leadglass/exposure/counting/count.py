"""Counts the studies of an archive by windows, and says "exact" only when it can prove it.

Exact, when every window ended with success under the cap, every answer lay inside its window, the fullest window gave
the same again in parts that are each less full (a server that cuts answers off silently cannot do that, whatever its
limit), and a count without windows, or the product's own, agrees. In every other case it is "at least", with reasons.

A server that is seen to cut off is counted again as if its limit were our cap, and one that ignores ranges is asked
once without any: what is said then is still "at least", and near to what there is.

What no question can tell: that a server's silent limit is the very number of the studies that ranges find, and that
there are others behind them without a date, or without a time where all are of one day, or of the same second if the
limit is one; and what it shows to nobody.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from leadglass.exposure.counting.rows import Answers, Ask, Row
from leadglass.exposure.counting.tally import Tally
from leadglass.exposure.counting.windows import Window, around
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
UNNAMED = "Some answers do not name the study that they are of."
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
        self._only: Row | None = None  # the one study that a question without a range was answered with
        self._days: list[Window] = []  # that were divided by time, which a study may lack

    async def run(self, product_count: int | None) -> None:
        await self._divide()
        if len(self._found_again) < len(self.result.tally.studies):
            self.result.doubt(UNDATED)  # seen in an answer that was cut off, and in no range since
        limit = await self._limit()
        if limit:
            self.result.doubt(CUT_OFF)
            await self._count_below(limit)
        else:
            await self._agree(product_count)

    async def _divide(self) -> None:
        windows = [Window()]
        while windows:
            window = windows.pop()
            answers = await self._asked(window)
            if answers.whole and (answers.rows or not window.everything):  # some answer nothing if not asked for dates
                self._keep(window, answers)
                continue
            parts = window.divided()
            if not parts:
                self.result.doubt(TOO_DENSE)
            if window.one_day and window.whole_day:
                self._days.append(window)
            windows += reversed(parts)

    def _keep(self, window: Window, answers: Answers) -> None:
        self._sizes.append((len(answers.rows), window))
        self._found_again.update(row.study for row in answers.rows if row.study)
        if window.everything and len(answers.rows) == 1:
            self._only = answers.rows[0]

    async def _asked(self, window: Window, cap: int | None = None) -> Answers:
        if self.result.queries >= MAX_QUERIES or self.result.tally.full:
            self.result.doubt(TOO_MANY)
            raise _Enough
        self.result.queries += 1
        answers = await self._ask(window, cap or self._cap)
        self.result.tally.add(answers.rows)
        if not all(row.study for row in answers.rows):
            self.result.doubt(UNNAMED)
        if not all(window.holds(row.date, row.seconds) for row in answers.rows):
            self.result.doubt(IGNORED)
            await self._asked(Window(), MAX_UNCAPPED)  # windows mean nothing here
            raise _Enough
        return answers

    async def _limit(self) -> int:
        """The number of answers at which the server cuts off, 0 if it does not: then at its fullest answer of all."""
        if self._only is not None:
            if self._only.seconds is None:
                self.result.doubt(UNPROVEN)  # another one of that day may have no time either
            others = [await self._asked(part) for part in around(self._only.date, self._only.seconds)]
            return int(any(answer.rows for answer in others))
        size, window = max(self._sizes, key=lambda item: item[0], default=(0, Window()))
        while size > 1:
            parts = window.divided()
            if not parts or parts[0].modality:  # a study of a modality that is not asked for would be in no part
                self.result.doubt(UNPROVEN)
                return 0
            answers = [await self._asked(part) for part in parts]
            sizes = [len(answer.rows) for answer in answers]
            if sum(sizes) > size or not all(answer.whole for answer in answers):
                return size
            if sum(sizes) < size:
                self.result.doubt(UNDATED)
            elif max(sizes) == size:  # all of them in one part: it may be cut off at the same place
                window = parts[sizes.index(size)]
                continue
            return 0
        return 0

    async def _count_below(self, limit: int) -> None:
        """Count again with windows that are each less full than the server's limit."""
        if limit > 1:
            self._cap = min(self._cap, limit)
            await self._divide()

    async def _agree(self, product_count: int | None) -> None:
        counted = len(self.result.tally.studies)
        if self.result.tally.undated and product_count is None:
            self.result.doubt(UNDATED)
        if product_count is not None:
            if product_count != counted:
                self.result.doubt(DISAGREES)
            return
        if len(self._sizes) == 1 and self._sizes[0][1].everything:
            return  # it was counted without windows, and proven in parts
        if counted > MAX_UNCAPPED:
            self.result.doubt(NO_SECOND)
            return
        answers = await self._asked(Window(), cap=MAX_UNCAPPED)
        others = len(self.result.tally.studies) - counted  # as many answers may still be other studies
        if not answers.whole or others or len({row.study for row in answers.rows}) != counted:
            self.result.doubt(DISAGREES)
            return
        await self._days_agree(len(answers.rows))

    async def _days_agree(self, everything: int) -> None:
        """Ask for the days that were divided once more, whole: a limit lies above `everything`, and so above a day."""
        counted = len(self.result.tally.studies)
        for day in self._days:
            answers = await self._asked(day, cap=MAX_UNCAPPED)
            if not answers.whole or len(answers.rows) >= everything:
                self.result.doubt(UNPROVEN)
            if len(self.result.tally.studies) > counted:
                self.result.doubt(UNDATED)
