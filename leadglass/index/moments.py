"""DICOM dates, times and date-times as comparable text, and the zone arithmetic of queries (PS3.5 table 6.2-1).

A moment is digits of fixed length, so that text order is time order. What is written with less precision stands for
its whole interval: "10" is 10:00:00.000000 to 10:59:59.999999.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

from leadglass.dicom.dictionary import tag_of

_DATE = re.compile(r"(\d{4})[.]?(\d{2})[.]?(\d{2})")
_TIME = re.compile(r"(\d{2})(?::?(\d{2})(?::?(\d{2})(?:[.](\d{1,6}))?)?)?")
_DATE_TIME = re.compile(
    r"(\d{4})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:[.](\d{1,6}))?)?)?)?)?)?([+-]\d{4})?"
)
_OFFSET = re.compile(r"([+-])(\d{2})(\d{2})")

_PAIRED = ["Study", "Series", "Acquisition", "Content", "InstanceCreation", "PresentationCreation"]
_STEP = ["PerformedProcedureStepStart", "PerformedProcedureStepEnd"]
PAIRS: Final[dict[int, tuple[int, int]]] = {
    tag: (tag_of(stem + "Date"), tag_of(stem + "Time"))
    for stem in (*_PAIRED, *_STEP)
    for tag in (tag_of(stem + "Date"), tag_of(stem + "Time"))
}

Interval = tuple[str, str]  # first and last moment that a text stands for


def date(text: str) -> Interval | None:
    """A DA value (or the older YYYY.MM.DD) as YYYYMMDD, twice; None if it is not one."""
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    whole = "".join(found.groups())
    return whole, whole


def time(text: str) -> Interval | None:
    """A TM value (or the older HH:MM:SS) as HHMMSSFFFFFF, first and last; None if it is not one."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    hours, minutes, seconds, fraction = found.groups()
    first = hours + (minutes or "00") + (seconds or "00") + (fraction or "").ljust(6, "0")
    last = hours + (minutes or "59") + (seconds or "59") + (fraction or "").ljust(6, "9")
    return first, last


def date_time(text: str, default_minutes: int = 0) -> Interval | None:
    """A DT value in UTC as YYYYMMDDHHMMSSFFFFFF, first and last; None if it is not one.

    `default_minutes` is the offset from UTC of values that carry none.
    """
    found = _DATE_TIME.fullmatch(text)
    if found is None:
        return None
    year, month, day, hours, minutes, seconds, fraction, offset = found.groups()
    shift = offset_minutes(offset) if offset else default_minutes
    if shift is None:
        return None
    rest = (hours or "00") + (minutes or "00") + (seconds or "00") + (fraction or "").ljust(6, "0")
    first = year + (month or "01") + (day or "01") + rest
    rest = (hours or "23") + (minutes or "59") + (seconds or "59") + (fraction or "").ljust(6, "9")
    last = year + (month or "12") + (day or _last_day(year, month or "12")) + rest
    return (first, last) if shift == 0 else _both_moved(first, last, -shift)


def offset_minutes(text: str) -> int | None:
    """An offset from UTC such as "+0130", in minutes; None if it is not one."""
    found = _OFFSET.fullmatch(text.strip(" \0"))
    if found is None or int(found[2]) > 14 or int(found[3]) > 59:
        return None
    minutes = int(found[2]) * 60 + int(found[3])
    return -minutes if found[1] == "-" else minutes


def shift(date_text: str, time_text: str, minutes: int) -> tuple[str, str] | None:
    """A date and a time moved together; the time keeps its precision below minutes. None if either is unreadable."""
    day, clock = date(date_text.strip()), time(time_text.strip())
    if day is None or clock is None:
        return None
    moved = _moved(day[0] + clock[0], minutes)
    if moved is None:
        return None
    plain = time_text.strip().replace(":", "")
    length = max(4, len(plain)) if len(plain) <= 6 else len(plain) - 1
    told = moved[8:][:length]
    return moved[:8], told if length <= 6 else f"{told[:6]}.{told[6:]}"


def days_around(day: str, days: int) -> str | None:
    """The date YYYYMMDD so many days later; None beyond the calendar."""
    moved = _moved(day + "0" * 12, days * 24 * 60)
    return moved[:8] if moved else None


def _both_moved(first: str, last: str, minutes: int) -> Interval | None:
    moved = _moved(first, minutes), _moved(last, minutes)
    return (moved[0], moved[1]) if moved[0] and moved[1] else None


def _moved(moment: str, minutes: int) -> str | None:
    try:
        parsed = datetime.strptime(moment, "%Y%m%d%H%M%S%f")  # noqa: DTZ007 - the caller keeps the zone
        moved = parsed + timedelta(minutes=minutes)
    except (ValueError, OverflowError):
        return None
    return f"{moved.year:04d}{moved:%m%d%H%M%S%f}"


def _last_day(year: str, month: str) -> str:
    for day in ("31", "30", "29"):
        if _moved(year + month + day + "0" * 12, 0):
            return day
    return "28"
