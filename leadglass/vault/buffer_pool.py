"""Buffers of one sealed chunk, used again and again: fresh memory costs a page fault every 4 KiB, which is more than
the encryption that goes into it."""

from __future__ import annotations

from collections.abc import Iterable

from leadglass.core.limits import CHUNK_SIZE, MIB
from leadglass.vault.record_format import TAG_SIZE

BUFFER_SIZE = CHUNK_SIZE + TAG_SIZE
_KEPT = 16 * MIB // BUFFER_SIZE  # a burst's surplus goes back to the system


class BufferPool:
    """Thread-safe: a list's `pop` and `append` are atomic."""

    __slots__ = ("_free",)

    def __init__(self) -> None:
        self._free: list[bytearray] = []

    def take(self) -> bytearray:
        """A buffer of BUFFER_SIZE bytes with any content. Never blocks."""
        try:
            return self._free.pop()
        except IndexError:
            return bytearray(BUFFER_SIZE)

    def give(self, buffers: Iterable[bytearray]) -> None:
        """Take buffers back that nobody looks at any more."""
        for buffer in buffers:
            if len(self._free) < _KEPT:
                self._free.append(buffer)
