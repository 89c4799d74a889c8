"""The key ring: study keys, wrapped, in two append-only copies that are written and synced together.

All processes of an archive share the ring. Whoever makes a key holds the ring's lock, has read what others appended,
and syncs both copies before the key is used. Entries found in the file and not synced by this process (another one may
have died between its write and its sync) are synced before their keys are used. In memory stand only the places of the
entries, and a bounded number of opened keys.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from os import urandom
from pathlib import Path
from typing import TypeVar

from leadglass.core import crashpoints
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.identity import KeyScope
from leadglass.core.records import RingFinding
from leadglass.keys.derive import KEY_SIZE
from leadglass.vault.disk import Disk, failing_as
from leadglass.vault.ring_format import (
    HEADER_SIZE,
    MAX_ENTRY,
    STUDY_KEY,
    RingCipher,
    RingEntry,
    parse_entries,
    parse_entry,
    settle,
)
from leadglass.vault.study_key import OpenStudyKey

_Name = TypeVar("_Name")
COPIES = (("ring-a", "ring.a"), ("ring-b", "ring.b"))
_OPEN_KEYS = 4096  # opened keys kept by scope and by id: a day's studies
_WINDOW = 4 * MAX_ENTRY  # bytes compared at once
_FAILED = "The key ring cannot be written."


class KeyRing:
    """Finds and makes study keys. Thread-safe; `known` never waits for anybody."""

    def __init__(self, root: Path, archive_id: bytes, ring_key: bytes, disk: Disk, *, may_create: bool) -> None:
        """Open the ring below `root`, or make it. DAMAGED if both copies are gone and `may_create` is not set."""
        self._disk = disk
        self._archive_id = archive_id
        self._cipher = RingCipher(ring_key, archive_id)
        self._by_tag: dict[bytes, int] = {}  # scope tag -> offset
        self._by_id: dict[bytes, int] = {}  # key id -> offset
        self._opened_scopes: dict[KeyScope, OpenStudyKey] = {}
        self._opened_ids: dict[bytes, OpenStudyKey] = {}
        self._end = HEADER_SIZE
        self._doubtful = False  # a write or sync failed: what lies behind _end is written again before it is used
        self._mutex = threading.RLock()
        self.healed: list[RingFinding] = []  # what was mended since this ring was opened
        self._copies: tuple[int, ...] = ()
        with failing_as(ErrorCode.OUT_OF_RESOURCES, "The key ring cannot be opened."):
            self._lock = disk.open_or_create(root / "ring.lock")
            self._open_copies(root, may_create)

    def __len__(self) -> int:
        return len(self._by_id)

    def known(self, scope: KeyScope) -> OpenStudyKey | None:
        """The key of `scope` if it was opened lately."""
        return self._opened_scopes.get(scope)

    def obtain(self, scope: KeyScope) -> OpenStudyKey:
        """The key of `scope`, made durable in both copies first if it is new. OUT_OF_RESOURCES if it cannot be."""
        key = self._opened_scopes.get(scope)
        if key is not None:
            return key
        tag = self._cipher.tag(scope)
        with self._mutex:
            key = self._opened_scopes.get(scope)
            if key is not None:
                return key
            place = self._by_tag.get(tag)
            if place is None:
                with failing_as(ErrorCode.OUT_OF_RESOURCES, _FAILED):
                    place = self._find_or_append(scope, tag)
            return self._keep(scope, self._open(place))

    def by_id(self, key_id: bytes) -> OpenStudyKey:
        """The key that a record's header names. DAMAGED if the ring has none."""
        key = self._opened_ids.get(key_id)
        if key is not None:
            return key
        with self._mutex:
            place = self._by_id.get(key_id)
            if place is None:
                with failing_as(ErrorCode.OUT_OF_RESOURCES, _FAILED):
                    self._refresh()
                place = self._by_id.get(key_id)
            if place is None:
                raise LeadglassError(ErrorCode.DAMAGED, "The record's key is not in the key ring.")
            key = self._open(place)
            _remember(self._opened_ids, key_id, key)
            return key

    def check(self) -> Iterator[RingFinding]:
        """Compare the copies on the medium and authenticate every entry. What was mended comes first."""
        yield from self.healed
        with self._mutex:
            self._disk.lock(self._lock, wait=True)
            try:
                findings = list(self._findings())
            finally:
                self._disk.unlock(self._lock)
        yield from findings

    def close(self) -> None:
        """Close the files and forget the keys."""
        with self._mutex:
            self._opened_scopes.clear()
            self._opened_ids.clear()
            for descriptor in (*self._copies, self._lock):
                self._disk.close(descriptor)
            self._copies = ()

    # --- files ---

    def _open_copies(self, root: Path, may_create: bool) -> None:
        try:
            self._disk.lock(self._lock, wait=True)
            for directory, name in COPIES:
                if self._disk.make_directory(root / directory):
                    self._disk.sync_directory(root)
                self._copies += (self._disk.open_or_create(root / directory / name),)
            self._settle_headers(may_create)
            for directory, _ in COPIES:
                self._disk.sync_directory(root / directory)
            self._settle_tail()
            self._sync_copies()
            self._disk.unlock(self._lock)
        except BaseException:
            for descriptor in (*self._copies, self._lock):
                self._disk.close(descriptor)
            raise

    def _settle_headers(self, may_create: bool) -> None:
        heads = [self._disk.read(copy, HEADER_SIZE, 0) for copy in self._copies]
        own = [self._cipher.is_own_header(head) for head in heads]
        if all(own):
            return
        if not any(own):
            if not may_create or any(self._disk.size(copy) > HEADER_SIZE for copy in self._copies):
                raise LeadglassError(ErrorCode.DAMAGED, "Both copies of the key ring are lost or damaged.")
            head = self._cipher.header(time.time_ns())
        else:
            head = heads[own.index(True)]
            self.healed.append(RingFinding(COPIES[own.index(False)][1], -1, "The copy was missing or had no header."))
        for copy, sound in zip(self._copies, own, strict=True):
            if not sound:
                self._disk.write(copy, [head], 0)

    def _sync_copies(self) -> None:
        for copy in self._copies:
            self._disk.sync(copy)

    def _read_copies(self, length: int, offset: int) -> tuple[bytes, bytes]:
        first, second = (self._disk.read(copy, length, offset) for copy in self._copies)
        return first, second

    # --- reading what is there ---

    def _refresh(self) -> None:
        """Read what other processes appended, and make it durable before anything of it is used."""
        self._disk.lock(self._lock, wait=True)
        try:
            before = self._end
            self._settle_tail()
            if self._end != before:
                self._sync_copies()
        finally:
            self._disk.unlock(self._lock)

    def _settle_tail(self) -> None:
        """Take in everything behind `_end`, in windows while both copies agree, else by settling the rest."""
        while not self._doubtful:
            first, second = self._read_copies(_WINDOW, self._end)
            if not first and not second:
                return
            start = self._end
            if first == second:
                for at, entry in parse_entries(first):
                    self._index(start + at, entry)
                    self._end = start + at + entry.length
            if self._end == start:
                break
        self._mend()

    def _mend(self) -> None:
        """Settle everything behind `_end` and write the outcome into both copies."""
        first, second = self._read_copies(self._longest() - self._end, self._end)
        settled = settle(first, second)
        for (_, name), copy, had in zip(COPIES, self._copies, (first, second), strict=True):
            if had == settled.content and not self._doubtful:
                continue
            if len(had) > len(settled.content):
                self._disk.truncate(copy, self._end + len(settled.content))
            self._disk.write(copy, [settled.content], self._end)
            self.healed.append(RingFinding(name, self._end, "The copy differed from the other and was mended."))
        self._sync_copies()
        self.healed += [
            RingFinding("both", self._end + at, "An entry is bad in both copies.") for at, _ in settled.lost
        ]
        for at, entry in settled.entries:
            self._index(self._end + at, entry)
        self._end += len(settled.content)
        self._doubtful = False

    def _longest(self) -> int:
        return max(self._disk.size(copy) for copy in self._copies)

    def _index(self, offset: int, entry: RingEntry) -> None:
        if entry.kind == STUDY_KEY:
            self._by_tag.setdefault(entry.tag, offset)
            self._by_id[entry.key_id] = offset

    def _open(self, offset: int) -> OpenStudyKey:
        """Open the entry at `offset` of the first copy where it is sound. DAMAGED if it is in none."""
        problem: LeadglassError | None = None
        for copy in self._copies:
            try:
                with failing_as(ErrorCode.OUT_OF_RESOURCES, "The key ring cannot be read."):
                    entry = self._read_entry(copy, offset)
                if entry is not None:
                    key, _ = self._cipher.open(entry)
                    return OpenStudyKey(self._archive_id, entry.key_id, key)
            except LeadglassError as failed:
                problem = failed
        raise problem or LeadglassError(ErrorCode.DAMAGED, "An entry of the key ring is damaged in both copies.")

    def _read_entry(self, copy: int, offset: int) -> RingEntry | None:
        entry = parse_entry(self._disk.read(copy, 1024, offset), 0)
        return entry or parse_entry(self._disk.read(copy, MAX_ENTRY, offset), 0)

    # --- making keys ---

    def _find_or_append(self, scope: KeyScope, tag: bytes) -> int:
        self._disk.lock(self._lock, wait=True)
        try:
            before = self._end
            self._settle_tail()
            if self._end != before:
                self._sync_copies()
            place = self._by_tag.get(tag)
            return self._append(scope) if place is None else place
        finally:
            self._disk.unlock(self._lock)

    def _append(self, scope: KeyScope) -> int:
        crashpoints.reached("store.before-ring")
        entry = self._cipher.seal(scope, urandom(16), urandom(KEY_SIZE), time.time_ns())
        place = self._end
        try:
            for copy in self._copies:
                self._disk.write(copy, [entry], place)
            crashpoints.reached("store.ring-written")
            self._sync_copies()
        except OSError:
            self._take_back(place)
            raise
        crashpoints.reached("store.ring-synced")
        parsed = parse_entry(entry, 0)
        assert parsed is not None
        self._index(place, parsed)
        self._end += len(entry)
        return place

    def _take_back(self, place: int) -> None:
        """A write or sync failed: cut both copies back. Whatever stays behind is written anew before it is used."""
        self._doubtful = True
        for copy in self._copies:
            try:
                self._disk.truncate(copy, place)
            except OSError:
                continue

    def _keep(self, scope: KeyScope, key: OpenStudyKey) -> OpenStudyKey:
        _remember(self._opened_scopes, scope, key)
        _remember(self._opened_ids, key.key_id, key)
        return key

    # --- check ---

    def _findings(self) -> Iterator[RingFinding]:
        sizes = [self._disk.size(copy) for copy in self._copies]
        if sizes[0] != sizes[1]:
            yield RingFinding("both", -1, "The copies differ in length.")
        for copy in self._copies:
            self._disk.drop_cache(copy)
        offsets = sorted(self._by_id.values())
        for (_, name), copy in zip(COPIES, self._copies, strict=True):
            if not self._cipher.is_own_header(self._disk.read(copy, HEADER_SIZE, 0)):
                yield RingFinding(name, 0, "The copy's header is damaged.")
            for offset in offsets:
                if not self._is_sound(copy, offset):
                    yield RingFinding(name, offset, "An entry does not authenticate.")

    def _is_sound(self, copy: int, offset: int) -> bool:
        try:
            entry = self._read_entry(copy, offset)
            if entry is None:
                return False
            _, scope = self._cipher.open(entry)
        except (LeadglassError, OSError):
            return False
        return self._cipher.tag(scope) == entry.tag and self._by_id.get(entry.key_id) == offset


def _remember(opened: dict[_Name, OpenStudyKey], name: _Name, key: OpenStudyKey) -> None:
    if len(opened) >= _OPEN_KEYS:
        opened.pop(next(iter(opened)))
    opened[name] = key
