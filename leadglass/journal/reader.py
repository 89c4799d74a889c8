"""Reading the journal: entries of all files by time, filtered. Damage is reported and read past, never hidden."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from pathlib import Path

from leadglass.core.audit import EVERYTHING, JournalEntry, JournalFilter
from leadglass.core.errors import LeadglassError
from leadglass.journal.codec import decode_event
from leadglass.journal.format import (
    FILE_SUFFIX,
    HEADER_SIZE,
    EntryCipher,
    FileHeader,
    candidates,
    follow,
    is_torn,
    start_of,
    unpack_header,
)

_SKEW = 300 * 1_000_000_000  # a clock may have been set back a little between a file's opening and its entries


def read_journal(
    directory: Path,
    journal_key: bytes,
    wanted: JournalFilter = EVERYTHING,
    on_damage: Callable[[str], None] = lambda problem: None,
) -> Iterator[JournalEntry]:
    """Entries in order of time (of one file: in order of writing), as of now. Holds only files that overlap in time.

    `on_damage` is told of each file that does not read whole, in one sentence.
    """
    waiting = files_of(directory, journal_key, wanted, on_damage)
    heap: list[tuple[int, int, JournalEntry, Iterator[JournalEntry]]] = []
    number = 0
    upcoming = next(waiting, None)
    while heap or upcoming is not None:
        if upcoming is not None and (not heap or upcoming[0].created <= heap[0][0]):
            entries = entries_of(*upcoming, journal_key, on_damage)
            upcoming, number = next(waiting, None), number + 1
            _push(heap, number, entries)
            continue
        _, place, entry, entries = heapq.heappop(heap)
        _push(heap, place, entries)
        if wanted.takes(entry):
            yield entry


def _push(
    heap: list[tuple[int, int, JournalEntry, Iterator[JournalEntry]]], number: int, entries: Iterator[JournalEntry]
) -> None:
    entry = next(entries, None)
    if entry is not None:
        heapq.heappush(heap, (entry.time, number, entry, entries))


def files_of(
    directory: Path, journal_key: bytes, wanted: JournalFilter, on_damage: Callable[[str], None]
) -> Iterator[tuple[FileHeader, Path]]:
    """The files that may hold what is wanted, in order of their opening."""
    found = []
    for path in sorted(directory.glob("*" + FILE_SUFFIX)):
        with path.open("rb") as file:
            header = unpack_header(file.read(HEADER_SIZE), journal_key)
        if header is None:
            on_damage(f"{path.name}: its header is damaged, the file cannot be read")
        elif wanted.until is None or header.created - _SKEW < wanted.until:
            found.append((header, path))
    yield from sorted(found, key=lambda item: (item[0].created, item[1].name))


def entries_of(
    header: FileHeader, path: Path, journal_key: bytes, on_damage: Callable[[str], None]
) -> Iterator[JournalEntry]:
    """Every entry of one file, in order of writing; what still opens behind damage too."""
    data = path.read_bytes()
    cipher = EntryCipher(header, journal_key)
    at = start_of(data)
    for entry in follow(data, at):
        at = entry.after
        plaintext = cipher.open(entry)
        if plaintext is not None:
            yield from _decoded(plaintext, header, entry.sequence)
    if is_torn(data, at.offset):
        return
    on_damage(f"{path.name}: damaged behind entry {at.count}; what still opens behind it is shown")
    last = at.count
    for entry in candidates(data, at.offset, last):
        plaintext = cipher.open(entry) if entry.sequence > last else None
        if plaintext is not None:
            last = entry.sequence
            yield from _decoded(plaintext, header, entry.sequence)


def _decoded(plaintext: bytes, header: FileHeader, sequence: int) -> Iterator[JournalEntry]:
    try:
        yield decode_event(plaintext, header.file_id, sequence)
    except LeadglassError:
        return
