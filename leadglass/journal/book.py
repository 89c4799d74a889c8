"""core.audit.JournalBook over the files of a journal.

The newest entries are found without reading all files again: what times a file that is whole reaches from and to is
remembered for as long as it keeps its size and time of change.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from leadglass.core.audit import JournalEntry, JournalFilter, Proof
from leadglass.journal.audit_messages import AuditSource, audit_message
from leadglass.journal.codec import entry_to_dict
from leadglass.journal.format import FileHeader
from leadglass.journal.reader import entries_of, files_of, read_journal
from leadglass.journal.verify import verify_journal

OnDamage = Callable[[str], None]


class _Span(NamedTuple):
    """From the first entry's time to the last one's; nothing lies between for a file without entries."""

    first: int
    last: int


class _Version(NamedTuple):
    """A file as it was when its span was read."""

    name: str
    size: int
    changed: int


class KeptJournal:
    """The journal in `directory`. `flush` has this process's own entries written; `source` names the archive."""

    def __init__(
        self, directory: Path, key: bytes, *, source: AuditSource, flush: Callable[[], object] = lambda: None
    ) -> None:
        self._directory = directory
        self._key = key
        self._source = source
        self._flush = flush
        self._lock = threading.Lock()
        self._spans: dict[_Version, _Span] = {}

    def newest(
        self,
        wanted: JournalFilter,
        count: int,
        before: tuple[int, bytes, int] | None = None,
        on_damage: OnDamage = lambda problem: None,
    ) -> list[JournalEntry]:
        """The newest that are wanted (core.audit)."""
        self._flush()
        best: list[tuple[tuple[int, bytes, int], JournalEntry]] = []
        for version, header, path in self._files(wanted, on_damage):
            span = self._spans.get(version)
            if span is not None and _beside(span, wanted, before, best[0][0] if len(best) == count else None):
                continue
            for entry in self._all_of(version, header, path, on_damage):
                if (before is None or entry.place < before) and wanted.takes(entry):
                    _keep(best, entry, count)
        return [entry for _, entry in sorted(best, key=lambda pair: pair[0], reverse=True)]

    def entries(self, wanted: JournalFilter, on_damage: OnDamage = lambda problem: None) -> Iterator[JournalEntry]:
        """All that are wanted (core.audit)."""
        self._flush()
        return read_journal(self._directory, self._key, wanted, on_damage)

    def document(self, entry: JournalEntry) -> Mapping[str, Any]:
        """As JSON has it."""
        return entry_to_dict(entry)

    def audit_message(self, entry: JournalEntry) -> str:
        """As PS3.15 A.5 has it."""
        return audit_message(entry, self._source)

    def verify(self, progress: Callable[[int, int], None]) -> Proof:
        """Follow every chain (core.audit)."""
        self._flush()
        found = verify_journal(self._directory, self._key, progress=progress)
        return Proof(found.entries, tuple(found.problems), tuple(found.notes))

    def _files(self, wanted: JournalFilter, on_damage: OnDamage) -> list[tuple[_Version, FileHeader, Path]]:
        """Those that were written last first, as far as it is known; the others before them."""
        found = []
        for header, path in files_of(self._directory, self._key, wanted, on_damage):
            seen = path.stat()
            found.append((_Version(path.name, seen.st_size, seen.st_mtime_ns), header, path))
        with self._lock:
            there = {version for version, _, _ in found}
            if wanted.until is None:
                self._spans = {version: span for version, span in self._spans.items() if version in there}
            spans = dict(self._spans)
        return sorted(found, key=lambda file: spans[file[0]].last if file[0] in spans else 1 << 64, reverse=True)

    def _all_of(self, version: _Version, header: FileHeader, path: Path, on_damage: OnDamage) -> Iterator[JournalEntry]:
        """Every entry of a file; its span is remembered if it is whole."""
        damaged: list[str] = []
        first, last = 1 << 64, -1
        for entry in entries_of(header, path, self._key, damaged.append):
            first, last = min(first, entry.time), max(last, entry.time)
            yield entry
        for problem in damaged:
            on_damage(problem)
        if not damaged:
            with self._lock:
                self._spans[version] = _Span(first, last)


def _beside(
    span: _Span, wanted: JournalFilter, before: tuple[int, bytes, int] | None, least: tuple[int, bytes, int] | None
) -> bool:
    """Whether a file of this span holds nothing that is wanted, or nothing newer than the `least` of what was found."""
    return (
        (wanted.since is not None and span.last < wanted.since)
        or (wanted.until is not None and span.first >= wanted.until)
        or (before is not None and span.first > before[0])
        or (least is not None and span.last < least[0])
    )


def _keep(best: list[tuple[tuple[int, bytes, int], JournalEntry]], entry: JournalEntry, count: int) -> None:
    item = (entry.place, entry)
    if len(best) < count:
        heapq.heappush(best, item)
    elif best and entry.place > best[0][0]:
        heapq.heapreplace(best, item)
