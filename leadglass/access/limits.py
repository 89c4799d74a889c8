"""Limits on guessing and on associations. Pure counting; time is an argument, in seconds that never go back.

Places for connections are counted where they arrive (net.doorkeeper: per address until a device is known). Here is what
needs to know devices: how many associations one holds, and who is trying out AE titles or passcodes.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

MAX_REFUSED_TITLES = 32  # different ones from one address within GUESSING_SECONDS: nobody's configuration errs so much
GUESSING_SECONDS = 3600.0
MAX_WRONG_PASSCODES = 10  # of one device from one address within PASSCODE_SECONDS
PASSCODE_SECONDS = 300.0
MAX_ADDRESSES = 4096  # remembered at a time, the longest unused is forgotten

TEMPORARY_CONGESTION = (2, 3, 1)  # PS3.8 table 9-21: transient, service provider (presentation), ...
LOCAL_LIMIT_EXCEEDED = (2, 3, 2)


class TitleGuard:
    """Bounds how many AE titles may be tried out from one address.

    A device that calls again and again under one wrong title costs one of MAX_REFUSED_TITLES, so it never locks out
    the others of its address. When an address has used them up, titles that were admitted from there before go on as
    ever; one that never was is put off (transient), right or wrong, so that guessing on shows nothing.
    """

    def __init__(self) -> None:
        self._refused: OrderedDict[str, OrderedDict[str, float]] = OrderedDict()
        self._proved: OrderedDict[str, OrderedDict[str, None]] = OrderedDict()

    def note_refused(self, address: str, title: str, now: float) -> None:
        """`title` was refused to `address`, as unknown there."""
        titles = self._refused.setdefault(address, OrderedDict())
        titles[title] = now
        titles.move_to_end(title)
        if len(titles) > MAX_REFUSED_TITLES:
            titles.popitem(last=False)
        _keep_newest(self._refused, address)

    def note_admitted(self, address: str, title: str) -> None:
        """`title` was admitted from `address`."""
        titles = self._proved.setdefault(address, OrderedDict())
        titles[title] = None
        titles.move_to_end(title)
        if len(titles) > MAX_ADDRESSES:
            titles.popitem(last=False)
        _keep_newest(self._proved, address)

    def puts_off(self, address: str, title: str, now: float) -> bool:
        """Whether a call under `title` is to be put off, whatever it would be answered otherwise.

        Not to be asked for a caller that has shown a device's certificate: it guesses nothing.
        """
        if title in self._proved.get(address, ()):
            return False
        titles = self._refused.get(address)
        if titles is None:
            return False
        while titles and next(iter(titles.values())) <= now - GUESSING_SECONDS:
            titles.popitem(last=False)
        return len(titles) >= MAX_REFUSED_TITLES


class PasscodeGuard:
    """Bounds wrong passcodes per device and address. A blocked one is refused unheard: no hashing."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[tuple[str, str], list[float]] = OrderedDict()

    def note_wrong(self, address: str, device: str, now: float) -> None:
        """A wrong passcode came."""
        times = self._wrong.setdefault((address, device), [])
        times.append(now)
        del times[:-MAX_WRONG_PASSCODES]
        _keep_newest(self._wrong, (address, device))

    def note_right(self, address: str, device: str) -> None:
        """The right one came: whoever knows it guesses no more."""
        self._wrong.pop((address, device), None)

    def blocks(self, address: str, device: str, now: float) -> bool:
        """Whether passcodes are not looked at for now."""
        times = self._wrong.get((address, device), ())
        return sum(time > now - PASSCODE_SECONDS for time in times) >= MAX_WRONG_PASSCODES


class DeviceAssociations:
    """Counts the associations that each device holds, wherever it calls from."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()

    def take(self, device: str, most: int) -> bool:
        """One more association of `device`, of which it may hold `most`; False if it has them all."""
        if self._held[device] >= most:
            return False
        self._held[device] += 1
        return True

    def give_back(self, device: str) -> None:
        """One of its associations has ended."""
        self._held[device] -= 1
        if self._held[device] <= 0:
            del self._held[device]


def _keep_newest(known: OrderedDict[_Key, _Value], key: _Key) -> None:
    known.move_to_end(key)
    if len(known) > MAX_ADDRESSES:
        known.popitem(last=False)
