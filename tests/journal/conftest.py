"""A journal under tmp_path with a clock that stands until it is moved, and a medium that fails on request."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leadglass.core.events import EventKind, JournalEvent
from leadglass.journal.medium import Medium
from leadglass.journal.writer import ChainedJournal, Rhythm

KEY = bytes(range(32))
SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND


class Clock:
    """Wall clock and ticks in one."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now

    def ticks(self) -> float:
        return self.now / SECOND

    def advance(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


class FailingMedium(Medium):
    """Raises `code` in the calls named in `failing`; counts syncs."""

    def __init__(self) -> None:
        self.failing: set[str] = set()
        self.code = errno.ENOSPC
        self.syncs = 0
        self.partial = 0  # bytes that a failing write still writes

    def _check(self, call: str) -> None:
        if call in self.failing:
            raise OSError(self.code, "injected")

    def create(self, path: Path) -> int:
        self._check("create")
        return super().create(path)

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        if "write" in self.failing and self.partial:
            super().write(descriptor, data[: self.partial], offset)
        self._check("write")
        super().write(descriptor, data, offset)

    def sync(self, descriptor: int) -> None:
        self._check("sync")
        super().sync(descriptor)
        self.syncs += 1

    def truncate(self, descriptor: int, size: int) -> None:
        self._check("truncate")
        super().truncate(descriptor, size)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def medium() -> FailingMedium:
    return FailingMedium()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def open_journal(directory: Path, clock: Clock, medium: FailingMedium) -> Iterator[Callable[..., ChainedJournal]]:
    opened: list[ChainedJournal] = []

    def make(**options: object) -> ChainedJournal:
        options.setdefault("medium", medium)
        options.setdefault("rhythm", Rhythm(flush=30.0))
        journal = ChainedJournal(directory, KEY, clock, ticks=clock.ticks, **options)  # type: ignore[arg-type]
        opened.append(journal)
        return journal

    yield make
    medium.failing.clear()
    for journal in opened:
        journal.close()


@pytest.fixture
def event() -> Callable[..., JournalEvent]:
    def make(number: int = 0, **fields: object) -> JournalEvent:
        options = {"kind": EventKind.QUERY, "what": f"event {number}", "principal": "ct1", **fields}
        return JournalEvent(**options)  # type: ignore[arg-type]

    return make
