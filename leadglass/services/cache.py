"""A bounded cache in memory, by what was used last."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class BoundedCache(Generic[Value]):
    """Values by key, each with a size; at most `most` together. Thread-safe.

    It knows nothing of rights: who asks it has asked for them before.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()

    @property
    def size(self) -> int:
        """What is kept, together."""
        return self._size

    def get(self, key: Hashable) -> Value | None:
        """What is kept under `key`."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, value: Value, size: int) -> None:
        """Keep `value`, unless it would take more than a quarter of all there is room for."""
        if size > self._most // 4:
            return
        with self._lock:
            before = self._kept.pop(key, None)
            self._size += size - (before[1] if before else 0)
            self._kept[key] = (value, size)
            while self._size > self._most:
                _, (_, gone) = self._kept.popitem(last=False)
                self._size -= gone
