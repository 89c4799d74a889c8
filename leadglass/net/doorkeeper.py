"""How many connections, from whom. Pure counting: the listener asks, connections report.

A connection is *pending* until its association request is answered, then *admitted* or *refused*. Pending ones count
per address; when an address has too many, its oldest gives way, so that silent peers cannot keep out a device that
calls from the same address. In a full house the oldest pending of all gives way to a device's address. Refused ones
have some seconds to close (ARTIM) but hold no place: beyond a small number the oldest is cut off.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from leadglass.core import limits

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """Connections: in all, of these only for devices' addresses, pending per address, refused and not yet closed."""

    total: int = limits.MAX_ASSOCIATIONS
    reserved: int = limits.RESERVED_FOR_DEVICES
    per_unknown_address: int = limits.MAX_UNKNOWN_PER_ADDRESS
    per_device_address: int = limits.RESERVED_FOR_DEVICES  # a sender may open many at once
    lingering: int = limits.RESERVED_FOR_DEVICES
    overload: int = 16  # over `total`, to be told that it is transient rather than dropped


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """What became of a newcomer: let in, let in only to be told to come later, or neither; and who gives way."""

    allowed: bool
    overloaded: bool = False
    evicted: T | None = None


class Doorkeeper(Generic[T]):
    """Counts connections of type T (hashable)."""

    def __init__(self, door: DoorLimits, is_device_address: Callable[[str], bool]) -> None:
        self._door = door
        self._is_device_address = is_device_address
        self._pending: defaultdict[str, dict[T, None]] = defaultdict(dict)
        self._address_of: dict[T, str] = {}
        self._admitted: set[T] = set()
        self._lingering: dict[T, None] = {}
        self._overloaded: set[T] = set()

    def __len__(self) -> int:
        """Connections that hold a place."""
        return len(self._address_of) + len(self._admitted)

    def enter(self, newcomer: T, address: str) -> Entry[T]:
        """Somebody connects from `address`."""
        door = self._door
        known = self._is_device_address(address)
        here = self._pending.get(address, {})
        evicted = None
        if len(here) >= (door.per_device_address if known else door.per_unknown_address):
            evicted = next(iter(here))
            self.leave(evicted)
        if known and evicted is None and len(self) >= door.total and self._address_of:
            evicted = next(iter(self._address_of))  # a full house: whoever has not even asked yet makes room
            self.leave(evicted)
        if len(self) >= (door.total if known else door.total - door.reserved):
            if not known or len(self._overloaded) >= door.overload:
                return Entry(allowed=False, evicted=evicted)
            self._overloaded.add(newcomer)
            return Entry(allowed=True, overloaded=True, evicted=evicted)
        self._pending[address][newcomer] = None
        self._address_of[newcomer] = address
        return Entry(allowed=True, evicted=evicted)

    def answered(self, who: T, *, admitted: bool) -> T | None:
        """The request of `who` was answered, or its association ended; returns a refused one to cut off, if any."""
        if admitted:
            if self._forget_pending(who):
                self._admitted.add(who)
            return None
        if self._forget_pending(who) or who in self._admitted:
            self._admitted.discard(who)
            self._lingering[who] = None
        if len(self._lingering) <= self._door.lingering:
            return None
        oldest = next(iter(self._lingering))
        del self._lingering[oldest]
        return oldest

    def leave(self, who: T) -> None:
        """The connection of `who` is closed."""
        self._forget_pending(who)
        self._admitted.discard(who)
        self._overloaded.discard(who)
        self._lingering.pop(who, None)

    def _forget_pending(self, who: T) -> bool:
        address = self._address_of.pop(who, None)
        if address is None:
            return False
        here = self._pending[address]
        del here[who]
        if not here:
            del self._pending[address]
        return True
