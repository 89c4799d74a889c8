"""One ledger of quotas for all web processes: a table in memory that they share, under a lock held for microseconds.

Layout: the key of each slot (a digest of the name; 0: free), then levels and times of its two buckets, then its
exports by process. A process that ends releases the lock, and clears its own exports when it begins anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from leadglass.app.live import MAX_WEB_PROCESSES
from leadglass.services.quota_ledger import MAX_ACCOUNTS, Bucket, Fresh, Standing

_WORD: Final = 8  # bytes
_LEVELS: Final = 4  # numbers of a slot: level and time of requests, and of bytes


class SharedLedger:
    """A Ledger (services.quota_ledger) in the file `path`; `process` is our number, from 1."""

    def __init__(self, path: Path, process: int, slots: int = MAX_ACCOUNTS) -> None:
        if not 1 <= process <= MAX_WEB_PROCESSES:
            raise ValueError("no such process")
        self._slots, self._mine = slots, process - 1
        size = slots * _WORD * (1 + _LEVELS + MAX_WEB_PROCESSES)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._file, size)
        table = memoryview(mmap.mmap(self._file, size))
        levels, exports = slots * _WORD, slots * _WORD * (1 + _LEVELS)
        self._keys = table[:levels].cast("Q")
        self._levels = table[levels:exports].cast("d")
        self._exports = table[exports:].cast("q")
        self._known: dict[str, tuple[int, int]] = {}  # name -> its key, and the slot where it was last
        with self._locked():
            for slot in range(slots):
                self._exports[slot * MAX_WEB_PROCESSES + self._mine] = 0

    @contextlib.contextmanager
    def of(self, name: str, fresh: Fresh) -> Iterator[Standing]:
        """See Ledger."""
        with self._locked():
            slot = self._slot(name, fresh)
            standing = fresh() if slot is None else self._read(slot)
            before = standing.exports
            yield standing
            if slot is not None:
                self._write(slot, standing, standing.exports - before)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)

    def _slot(self, name: str, fresh: Fresh) -> int | None:
        """Where it is, or may be from now on; None if every slot has exports under way."""
        key, slot = self._known.get(name) or (_key(name), 0)
        if self._keys[slot] != key:
            found = self._place(key, fresh)
            if found is None:
                return None
            slot = found
            if len(self._known) > self._slots:
                self._known.clear()
            self._known[name] = key, slot
        return slot

    def _place(self, key: int, fresh: Fresh) -> int | None:
        keys = self._keys.tolist()
        if key in keys:
            return keys.index(key)
        slot = keys.index(0) if 0 in keys else self._idle()
        if slot is not None:
            self._keys[slot] = key
            self._write(slot, fresh(), 0)
        return slot

    def _idle(self) -> int | None:
        """The longest unused without an export."""
        idle = [slot for slot in range(self._slots) if not self._under_way(slot)]
        return min(idle, key=lambda slot: self._levels[slot * _LEVELS + 1], default=None)

    def _under_way(self, slot: int) -> int:
        return sum(self._exports[slot * MAX_WEB_PROCESSES : (slot + 1) * MAX_WEB_PROCESSES])

    def _read(self, slot: int) -> Standing:
        levels = self._levels[slot * _LEVELS : (slot + 1) * _LEVELS]
        return Standing(Bucket(levels[0], levels[1]), Bucket(levels[2], levels[3]), self._under_way(slot))

    def _write(self, slot: int, standing: Standing, exports: int) -> None:
        requests, sent = standing.requests, standing.bytes
        for place, value in enumerate((requests.level, requests.filled, sent.level, sent.filled)):
            self._levels[slot * _LEVELS + place] = value
        own = slot * MAX_WEB_PROCESSES + self._mine
        self._exports[own] = max(0, self._exports[own] + exports)


def _key(name: str) -> int:
    """Never 0."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=_WORD).digest(), "big") | 1
