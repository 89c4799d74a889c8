"""Whoever edits, deletes, reorders or cuts the journal is found out; what cannot be seen is said."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from leadglass.core.events import JournalEvent
from leadglass.journal.chain_file import ChainFile
from leadglass.journal.format import HEADER_SIZE, follow, start_of
from leadglass.journal.reader import read_journal
from leadglass.journal.root_chain import RootChain
from leadglass.journal.verify import verify_journal
from leadglass.journal.writer import ChainedJournal

from .conftest import KEY, Clock, FailingMedium

Make = Callable[..., JournalEvent]
Open = Callable[..., ChainedJournal]


@pytest.fixture
def written(open_journal: Open, event: Make, directory: Path) -> Path:
    """Three closed runs of ten entries."""
    for run in range(3):
        journal = open_journal()
        for number in range(10):
            journal.record(event(run * 10 + number), durable=number % 3 == 0)
        journal.close()
    return directory


def a_file(directory: Path) -> Path:
    return max(directory.glob("*.journal"), key=lambda path: path.name)


def spans(data: bytes) -> list[tuple[int, int]]:
    starts = [HEADER_SIZE, *(entry.after.offset for entry in follow(data, start_of(data)))]
    return list(itertools.pairwise(starts))


def test_an_untouched_journal_is_sound(written: Path) -> None:
    result = verify_journal(written, KEY)
    assert result.sound
    assert (result.files, result.entries, result.unsigned_entries) == (3, 30, 0)


def test_every_flipped_byte_of_a_journal_file_is_found(written: Path) -> None:
    path = a_file(written)
    data = path.read_bytes()
    for place in range(0, len(data), 7):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert not verify_journal(written, KEY).sound, place


def test_every_flipped_byte_of_the_root_chain_is_found(written: Path) -> None:
    path = written / "root-00000001.chain"
    data = path.read_bytes()
    for place in range(0, len(data), 7):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x80]) + data[place + 1 :])
        assert not verify_journal(written, KEY).sound, place


def test_a_deleted_file_is_found(written: Path) -> None:
    a_file(written).unlink()
    assert "missing" in verify_journal(written, KEY).problems[0]


@pytest.mark.parametrize("how", ["delete", "swap", "repeat", "cut", "cut all"])
def test_a_deleted_swapped_repeated_or_cut_entry_is_found(written: Path, how: str) -> None:
    path = a_file(written)
    data = path.read_bytes()
    entries = [data[start:end] for start, end in spans(data)]
    changed = {
        "delete": entries[:4] + entries[5:],
        "swap": [*entries[:4], entries[5], entries[4], *entries[6:]],
        "repeat": [*entries, entries[-1]],
        "cut": entries[:-1],
        "cut all": [],
    }[how]
    path.write_bytes(data[:HEADER_SIZE] + b"".join(changed))
    assert not verify_journal(written, KEY).sound


def test_a_file_of_another_journal_is_found(written: Path, tmp_path: Path, clock: Clock) -> None:
    ChainFile(written, bytes(32), FailingMedium(), None, clock())
    assert not verify_journal(written, KEY).sound


def test_a_file_that_the_root_chain_does_not_know_is_found(written: Path, clock: Clock) -> None:
    stray = ChainFile(written, KEY, FailingMedium(), None, clock())
    assert verify_journal(written, KEY).sound  # empty: a process died between making and announcing it
    stray.append([b"{}"])
    assert not verify_journal(written, KEY).sound


def test_a_root_file_cut_together_with_the_journal_shows_by_a_head_kept_elsewhere(
    open_journal: Open, event: Make, directory: Path
) -> None:
    first = open_journal()
    first.record(event(1), durable=True)
    first.close()
    before = {path: path.read_bytes() for path in directory.iterdir()}
    second = open_journal()
    second.record(event(2), durable=True)
    kept = second.head()
    second.close()
    assert verify_journal(directory, KEY, [kept]).sound
    for path in directory.iterdir():
        path.write_bytes(before[path]) if path in before else path.unlink()
    unaided = verify_journal(directory, KEY)
    assert unaided.sound
    assert any("would not show" in note for note in unaided.notes)
    assert not verify_journal(directory, KEY, [kept]).sound


def test_cutting_the_root_chain_alone_is_found(open_journal: Open, event: Make, directory: Path) -> None:
    open_journal().close()
    data = (directory / "root-00000001.chain").read_bytes()
    journal = open_journal()
    journal.record(event(), durable=True)
    journal.close()
    (directory / "root-00000001.chain").write_bytes(data)
    assert not verify_journal(directory, KEY).sound


def test_unsigned_entries_are_counted_as_a_limit(open_journal: Open, event: Make, directory: Path) -> None:
    journal = open_journal()
    journal.record(event(), durable=True)
    result = verify_journal(directory, KEY)
    assert result.sound
    assert result.unsigned_entries == 1
    journal.head()
    assert verify_journal(directory, KEY).unsigned_entries == 0


def test_a_dead_writers_entries_are_signed_by_its_successor_and_then_cannot_be_cut(
    open_journal: Open, event: Make, directory: Path, clock: Clock
) -> None:
    roots = RootChain(directory, KEY, FailingMedium())
    directory.mkdir(mode=0o700)
    with roots.locked():
        dead = ChainFile(directory, KEY, FailingMedium(), None, clock())
        roots.append(clock(), (dead.record(),))
    dead.append([b'{"t":0,"k":"query","w":"last words","p":"","a":"","o":0,"d":{}}'])
    dead.close()
    path = directory / f"{dead.file_id.hex()}.journal"
    path.write_bytes(path.read_bytes() + b"\0\0\0\x30\0\0")  # torn while it wrote the next
    journal = open_journal()
    journal.record(event(1), durable=True)
    journal.close()
    result = verify_journal(directory, KEY)
    assert result.sound
    assert any("never finished" in note for note in result.notes)
    assert [entry.event.what for entry in read_journal(directory, KEY)] == ["last words", "event 1"]
    path.write_bytes(path.read_bytes()[:HEADER_SIZE])
    assert not verify_journal(directory, KEY).sound


def test_a_missing_file_is_alarmed_at_the_next_start(
    open_journal: Open, event: Make, directory: Path, clock: Clock
) -> None:
    roots = RootChain(directory, KEY, FailingMedium())
    directory.mkdir(mode=0o700)
    with roots.locked():
        gone = ChainFile(directory, KEY, FailingMedium(), None, clock())
        roots.append(clock(), (gone.record(),))
    gone.close()
    (directory / f"{gone.file_id.hex()}.journal").unlink()
    open_journal().flush()
    assert [entry.event.what for entry in read_journal(directory, KEY)] == ["journal-file-missing-or-cut"]
    assert not verify_journal(directory, KEY).sound


def test_a_torn_root_entry_is_left_and_the_chain_goes_on_in_a_new_file(
    open_journal: Open, event: Make, directory: Path
) -> None:
    open_journal().close()
    path = directory / "root-00000001.chain"
    path.write_bytes(path.read_bytes() + b"\0\0\0")
    journal = open_journal()
    journal.record(event(), durable=True)
    journal.close()
    assert (directory / "root-00000002.chain").exists()
    result = verify_journal(directory, KEY)
    assert result.sound
    assert any("never finished" in note for note in result.notes)


def test_root_files_are_renewed_and_carry_open_files(
    open_journal: Open, event: Make, directory: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leadglass.journal.root_chain.ROOT_FILE_SIZE", 600)
    one, two = open_journal(), open_journal()
    for number in range(12):
        one.record(event(number), durable=True)
        clock.advance(61)
        one.flush()
    two.record(event(99), durable=True)
    two.head()
    assert len(list(directory.glob("root-*.chain"))) > 2
    assert verify_journal(directory, KEY).sound
    (directory / "root-00000002.chain").unlink()
    assert not verify_journal(directory, KEY).sound


def test_a_damaged_root_chain_does_not_stop_the_journal(open_journal: Open, event: Make, directory: Path) -> None:
    open_journal().close()
    path = directory / "root-00000001.chain"
    path.write_bytes(b"x" + path.read_bytes()[1:])
    journal = open_journal()
    journal.record(event(7), durable=True)
    journal.close()
    assert [entry.event.what for entry in read_journal(directory, KEY)] == ["event 7"]
    assert not verify_journal(directory, KEY).sound


def test_the_reader_reports_damage_and_reads_past_it(written: Path) -> None:
    path = a_file(written)
    data = path.read_bytes()
    start, end = spans(data)[3]
    middle = (start + end) // 2
    path.write_bytes(data[:middle] + b"\xff" + data[middle + 1 :])
    damage: list[str] = []
    entries = list(read_journal(written, KEY, on_damage=damage.append))
    assert len(entries) == 29
    assert len(damage) == 1
    assert path.name in damage[0]


def test_no_two_files_share_key_and_nonce(written: Path) -> None:
    salts = {path.read_bytes()[24:56] for path in written.glob("*.journal")}
    assert len(salts) == 3
