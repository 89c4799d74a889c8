"""Moments, amounts and sizes as people read them, the same in every language: filters of the templates."""

from __future__ import annotations

import datetime as dt
from typing import Final

_SECOND: Final = 1_000_000_000  # nanoseconds
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_NARROW_SPACE: Final = "\u202f"  # between thousands (ISO 80000-1): neither language's point or comma


def moment(nanoseconds: int) -> str:
    """2026-11-25 22:30 UTC; "" for never."""
    return f"{utc(nanoseconds):%Y-%m-%d %H:%M} UTC" if nanoseconds else ""


def second(nanoseconds: int) -> str:
    """2026-11-25 22:30:01 UTC."""
    return f"{utc(nanoseconds):%Y-%m-%d %H:%M:%S} UTC"


def day(nanoseconds: int) -> str:
    """2026-11-25; "" for never."""
    return f"{utc(nanoseconds):%Y-%m-%d}" if nanoseconds else ""


def number(count: int) -> str:
    """1 234 567."""
    return f"{count:,}".replace(",", _NARROW_SPACE)


def size(count: int) -> str:
    """Bytes in the largest unit that leaves a number above one: 1.5 GiB."""
    amount, unit = float(count), _UNITS[0]
    for unit in _UNITS:
        if amount < 1024 or unit == _UNITS[-1]:
            break
        amount /= 1024
    return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"


def utc(nanoseconds: int) -> dt.datetime:
    """The moment, for templates that write it their own way."""
    return dt.datetime.fromtimestamp(nanoseconds // _SECOND, dt.UTC)
