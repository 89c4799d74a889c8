"""A run: knock at every target in random order, ask those that open, judge, and stop cleanly at any moment."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from leadglass.exposure.audit import Result
from leadglass.exposure.dialer import ScopedDialer
from leadglass.exposure.facts import Observation
from leadglass.exposure.observing import Stopped, observe
from leadglass.exposure.registry import PROBES
from leadglass.exposure.rules.judge import judge
from leadglass.exposure.run_journal import RunJournal
from leadglass.exposure.scope import Scope
from leadglass.exposure.service import Service
from leadglass.exposure.site import Probe
from leadglass.exposure.streams import Reason, Unreachable
from leadglass.exposure.targets import Targets

_MARK_EVERY = 2000  # targets between two marks in the journal


@dataclass(slots=True)
class Progress:
    """How far a run is. `services` is how many were found open, `observed` how many of them were asked."""

    targets: int
    knocked: int = 0
    services: int = 0
    observed: int = 0
    contacted: int = 0
    unanswered: int = 0


class Watch(Protocol):
    """Is told of every step, on the event loop: it must not wait."""

    def moved(self, progress: Progress) -> None:
        """The run went on."""
        ...

    def judged(self, result: Result) -> None:
        """A service was looked at."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to. `complete` is false if it was stopped."""

    results: tuple[Result, ...]
    progress: Progress
    complete: bool


class Run:
    """One run over `targets`. Use it once, on one event loop."""

    def __init__(
        self,
        scope: Scope,
        targets: Targets,
        journal: RunJournal,
        watch: Watch,
        *,
        now: Callable[[], float],
        probes: Sequence[Probe] = PROBES,
    ) -> None:
        self._scope = scope
        self._targets = targets
        self._journal = journal
        self._watch = watch
        self._now = now
        self._probes = probes
        self._secret = secrets.token_bytes(32)  # in memory only: what is hashed with it can never be had back
        self._dialer = ScopedDialer(scope, now=now)
        self._queue: asyncio.Queue[Service | None] = asyncio.Queue()
        self._under_way: dict[int, None] = {}  # positions that are being knocked at
        self._partial: list[Observation] = []
        self.progress = Progress(len(targets), journal.position, len(journal.open), len(journal.observations))
        self.progress.contacted, self.progress.unanswered = journal.contacted, journal.unanswered

    def stop(self) -> None:
        """The kill switch: ends within a moment, and what is known is kept."""
        self._dialer.stop()

    async def run(self) -> Outcome:
        """Look at everything. Never raises for what peers do."""
        for observation in self._journal.observations.values():
            self._watch.judged(Result(observation, judge(observation)))
        for service in self._journal.pending:
            self._queue.put_nowait(service)
        width = self._scope.pace.concurrent
        async with asyncio.TaskGroup() as group:
            askers = [group.create_task(self._ask()) for _ in range(width)]
            await self._knock_at_all(width)
            for _ in askers:
                self._queue.put_nowait(None)
        stopped = self._dialer.stopped or bool(self._journal.pending)
        if not stopped:
            self._mark(len(self._targets))
        seen = [*self._journal.observations.values(), *self._partial]
        results = sorted((Result(item, judge(item)) for item in seen), key=lambda item: item.observation.service)
        return Outcome(tuple(results), self.progress, complete=not stopped)

    # --- the sweep ----------------------------------------------------------------------------------------------

    async def _knock_at_all(self, width: int) -> None:
        walk = self._targets.walk(self._journal.position)

        async def knocker() -> None:
            for position, service in walk:
                if self._dialer.stopped:
                    return
                self._under_way[position] = None
                await self._knock(service)
                if self._dialer.stopped:
                    return  # it stays under way: the next run knocks there again
                del self._under_way[position]
                self._knocked(position)

        async with asyncio.TaskGroup() as group:
            for _ in range(width):
                group.create_task(knocker())

    async def _knock(self, service: Service) -> None:
        try:
            await self._dialer.knock(service)
        except Unreachable as ended:
            if ended.reason is Reason.STOPPED:
                self.stop()
                return
            self.progress.contacted += 1
            self.progress.unanswered += ended.reason is Reason.TIMEOUT
            return
        self.progress.contacted += 1
        self._journal.found(service)
        self.progress.services += 1
        self._queue.put_nowait(service)

    def _knocked(self, position: int) -> None:
        self.progress.knocked += 1
        if self.progress.knocked % _MARK_EVERY == 0 and not self._dialer.stopped:
            self._mark(min(self._under_way, default=position + 1))
        if self.progress.knocked % 64 == 0 or self.progress.knocked < 64:
            self._watch.moved(self.progress)

    def _mark(self, position: int) -> None:
        self._journal.reached(position, self.progress.contacted, self.progress.unanswered)

    # --- the questions ------------------------------------------------------------------------------------------

    async def _ask(self) -> None:
        while (service := await self._queue.get()) is not None:
            if self._dialer.stopped:
                continue
            try:
                observation = await observe(
                    service, self._scope, self._dialer, probes=self._probes, now=self._now, secret=self._secret
                )
            except Stopped as stopped:
                self._partial.append(stopped.observation)
                self.stop()
                continue
            self._journal.observed(observation)
            self.progress.observed += 1
            self._watch.judged(Result(observation, judge(observation)))
            self._watch.moved(self.progress)
