"""The book: the newest entries are those that a whole reading ends with, also when files are left out as known."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadglass.core.audit import EVERYTHING, JournalEntry, JournalFilter
from leadglass.core.events import EventKind, JournalEvent
from leadglass.journal import book as book_module
from leadglass.journal.audit_messages import AuditSource
from leadglass.journal.book import KeptJournal
from leadglass.journal.writer import ChainedJournal

from .conftest import KEY, SECOND, START, Clock


@pytest.fixture
def book(tmp_path: Path) -> KeptJournal:
    """Sixty entries, a minute apart, in many files of two writers at a time."""
    clock = Clock()
    writers = [ChainedJournal(tmp_path, KEY, clock, ticks=clock.ticks, file_size=1024) for _ in range(2)]
    for number in range(60):
        clock.advance(60)
        writer = writers[number % 7 % 2]
        writer.record(JournalEvent(EventKind.QUERY, f"event {number}", f"who{number % 3}"), durable=True)
    for writer in writers:
        writer.close()
    assert len(list(tmp_path.glob("*.journal"))) > 5
    return KeptJournal(tmp_path, KEY, source=AuditSource("TEST"))


def numbers(entries: list[JournalEntry]) -> list[int]:
    return [int(entry.event.what.split()[1]) for entry in entries if entry.event.what.startswith("event")]


FILTERS = [
    EVERYTHING,
    JournalFilter(principal="who1"),
    JournalFilter(since=START + 1800 * SECOND),
    JournalFilter(until=START + 1800 * SECOND),
    JournalFilter(since=START + 600 * SECOND, until=START + 660 * SECOND),
    JournalFilter(text="event 1"),
]


@pytest.mark.parametrize("wanted", FILTERS)
def test_the_newest_are_the_last_of_all(book: KeptJournal, wanted: JournalFilter) -> None:
    whole = list(book.entries(wanted))
    for _ in range(2):  # the second time with what is remembered of the files
        for count in (1, 5, 200):
            newest = book.newest(wanted, count)
            assert newest == sorted(whole, key=lambda entry: entry.place, reverse=True)[:count]
            before = newest[-1].place if newest else (START, b"", 0)
            older = [entry for entry in whole if entry.place < before]
            assert book.newest(wanted, 5, before) == sorted(older, key=lambda entry: entry.place, reverse=True)[:5]


def test_files_that_hold_nothing_newer_are_not_read_again(book: KeptJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    assert numbers(book.newest(EVERYTHING, 60)) == list(reversed(range(60)))
    read: list[Path] = []
    whole = book_module.entries_of

    def watched(header: object, path: Path, *rest: object) -> object:
        read.append(path)
        return whole(header, path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(book_module, "entries_of", watched)
    assert numbers(book.newest(EVERYTHING, 2)) == [59, 58]
    assert 0 < len(read) <= 4


def test_damage_is_told_each_time(book: KeptJournal, tmp_path: Path) -> None:
    book.newest(EVERYTHING, 60)
    path = max(tmp_path.glob("*.journal"), key=lambda item: item.stat().st_size)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    for _ in range(2):
        told: list[str] = []
        book.newest(EVERYTHING, 60, None, told.append)
        assert [path.name in problem for problem in told] == [True]
