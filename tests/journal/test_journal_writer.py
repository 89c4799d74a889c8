"""The writer keeps what it took, says when it cannot, recovers, and tells of the gap."""

from __future__ import annotations

import errno
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import JournalEvent, Outcome
from leadglass.journal import writer
from leadglass.journal.reader import read_journal
from leadglass.journal.root_chain import current_head, parse_head
from leadglass.journal.verify import verify_journal
from leadglass.journal.writer import ChainedJournal

from .conftest import KEY, Clock, FailingMedium

Make = Callable[..., JournalEvent]
Open = Callable[..., ChainedJournal]


def whats(directory: Path) -> list[str]:
    return [entry.event.what for entry in read_journal(directory, KEY)]


def test_a_durable_event_is_on_disk_when_record_returns(open_journal: Open, event: Make, directory: Path) -> None:
    journal = open_journal()
    journal.record(event(1, details={"count": 3}, outcome=Outcome.MINOR_FAILURE), durable=True)
    (entry,) = read_journal(directory, KEY)
    assert entry.event == event(1, details={"count": 3}, outcome=Outcome.MINOR_FAILURE)
    assert entry.time == journal._clock()


def test_order_is_kept_and_waiting_events_go_with_a_durable_one_in_one_sync(
    open_journal: Open, event: Make, directory: Path, medium: FailingMedium
) -> None:
    journal = open_journal()
    before = medium.syncs
    for number in range(5):
        journal.record(event(number))
    journal.record(event(5), durable=True)
    assert whats(directory) == [f"event {number}" for number in range(6)]
    assert medium.syncs == before + 1


def test_durable_events_of_many_threads_are_all_kept(open_journal: Open, event: Make, directory: Path) -> None:
    journal = open_journal()
    threads = [
        threading.Thread(target=lambda n=n: [journal.record(event(n * 10 + i), durable=True) for i in range(10)])
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(whats(directory)) == sorted(f"event {number}" for number in range(80))
    assert verify_journal(directory, KEY).sound


def test_files_are_readable_by_their_owner_alone(open_journal: Open, event: Make, directory: Path) -> None:
    open_journal().record(event(), durable=True)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}


def test_nothing_recorded_can_be_read_on_disk(open_journal: Open, event: Make, directory: Path) -> None:
    journal = open_journal()
    journal.record(event(principal="SECRETPRINCIPAL"), durable=True)
    journal.close()
    assert not any(b"SECRETPRINCIPAL" in path.read_bytes() for path in directory.iterdir())


@pytest.mark.parametrize("failing", ["write", "sync"])
@pytest.mark.parametrize("partial", [0, 20, 10_000])
def test_a_failed_write_is_told_and_later_writes_work_when_space_is_back(
    open_journal: Open, event: Make, directory: Path, medium: FailingMedium, clock: Clock, failing: str, partial: int
) -> None:
    journal = open_journal()
    journal.record(event(1), durable=True)
    medium.failing, medium.partial = {failing, "create", "truncate"}, partial
    journal.record(event(2))
    with pytest.raises(LeadglassError) as caught:
        journal.record(event(3), durable=True)
    assert caught.value.code is ErrorCode.UNAVAILABLE
    assert not journal.writable
    journal.record(event(4))
    clock.advance(4)
    assert not journal.flush()  # tried again, in vain
    medium.failing = set()
    clock.advance(1)
    assert not journal.flush()  # not tried before its time
    clock.advance(3)
    assert journal.flush()
    journal.record(event(5), durable=True)
    seen = whats(directory)
    assert [what for what in seen if what != "event 2" and what != "event 3"] == [
        "event 1",
        "journal-gap",
        "event 4",
        "event 5",
    ]
    assert "event 2" in seen
    journal.close()
    assert verify_journal(directory, KEY).sound


def test_after_a_clean_cut_no_event_of_a_failed_write_is_there_twice(
    open_journal: Open, event: Make, directory: Path, medium: FailingMedium, clock: Clock
) -> None:
    journal = open_journal()
    medium.failing = {"sync"}
    journal.record(event(1))
    journal.flush()
    medium.failing = set()
    clock.advance(4)
    assert journal.flush()
    assert whats(directory) == ["journal-gap", "event 1"]


def test_the_gap_says_why_since_when_and_how_many_were_lost(
    open_journal: Open,
    event: Make,
    directory: Path,
    medium: FailingMedium,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writer, "MAX_PENDING", 3)
    journal = open_journal()
    medium.failing, medium.code = {"write"}, errno.EIO
    journal.record(event(0))
    journal.flush()
    for number in range(1, 6):
        journal.record(event(number))
    medium.failing = set()
    clock.advance(4)
    journal.flush()
    gap, *kept = [entry.event for entry in read_journal(directory, KEY)]
    assert gap.details == {"lost": 3, "since": "2026-09-21T14:13:20.000000Z", "failure": "OSError 5"}
    assert [one.what for one in kept] == ["event 0", "event 1", "event 2"]


def test_a_medium_that_fails_at_the_start_leaves_a_journal_that_recovers(
    open_journal: Open, event: Make, directory: Path, medium: FailingMedium, clock: Clock
) -> None:
    medium.failing = {"create"}
    journal = open_journal()
    assert not journal.writable
    journal.record(event(1))
    medium.failing = set()
    clock.advance(4)
    assert journal.flush()
    assert whats(directory) == ["journal-gap", "event 1"]
    assert verify_journal(directory, KEY).sound


def test_a_failing_callback_does_not_end_the_thread(open_journal: Open, event: Make, clock: Clock) -> None:
    journal = open_journal()
    calls: list[float] = []

    def call(now: float) -> None:
        calls.append(now)
        if len(calls) == 1:
            raise RuntimeError

    journal.each_cycle(call)
    journal.flush()
    clock.advance(4)
    assert journal.flush()
    journal.record(event(), durable=True)
    assert len(calls) >= 2


def test_files_are_renewed_and_stay_one_chain(open_journal: Open, event: Make, directory: Path, clock: Clock) -> None:
    journal = open_journal(file_size=2000)
    for number in range(60):
        clock.advance(1)
        journal.record(event(number), durable=True)
    journal.close()
    assert len(list(directory.glob("*.journal"))) > 3
    assert whats(directory) == [f"event {number}" for number in range(60)]
    result = verify_journal(directory, KEY)
    assert result.sound
    assert result.entries == 60
    assert result.unsigned_entries == 0


def test_heads_are_signed_each_minute_and_only_when_there_is_something_new(
    open_journal: Open, event: Make, directory: Path, clock: Clock
) -> None:
    journal = open_journal()
    start = current_head(directory, KEY)
    journal.record(event(), durable=True)
    assert current_head(directory, KEY) == start
    clock.advance(61)
    journal.flush()
    signed = current_head(directory, KEY)
    assert signed.sequence == start.sequence + 1
    clock.advance(61)
    journal.flush()
    assert current_head(directory, KEY) == signed == journal.head() == parse_head(str(signed))


def test_a_closed_journal_takes_nothing_more(open_journal: Open, event: Make) -> None:
    journal = open_journal()
    journal.close()
    assert not journal.writable
    with pytest.raises(LeadglassError):
        journal.record(event(), durable=True)


def test_two_processes_write_side_by_side(open_journal: Open, event: Make, directory: Path, clock: Clock) -> None:
    first, second = open_journal(), open_journal()
    for number in range(4):
        clock.advance(1)
        (first, second)[number % 2].record(event(number), durable=True)
    assert whats(directory) == ["event 0", "event 1", "event 2", "event 3"]
    clock.advance(61)
    first.flush()
    second.flush()
    result = verify_journal(directory, KEY)
    assert result.sound
    assert (result.files, result.entries, result.unsigned_entries) == (2, 4, 0)


def test_long_and_hostile_text_is_bounded_and_kept_as_text(open_journal: Open, event: Make, directory: Path) -> None:
    hostile = "\x1b[31m\r\n\ud800\u202e\0" + "\U0001f600" * 5000
    open_journal().record(event(principal=hostile, details={str(n): hostile for n in range(90)}), durable=True)
    (entry,) = read_journal(directory, KEY)
    assert entry.event.principal == hostile[:1024]
