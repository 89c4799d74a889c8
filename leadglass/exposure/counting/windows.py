"""What a query is restricted to: dates, then times of one day, then a modality. Windows divide until answers fit."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

EARLIEST = dt.date(1900, 1, 1)
LATEST = dt.date(2100, 1, 1)
_BEFORE = dt.date(1800, 1, 1)
_DAY = 24 * 3600
_ONE = dt.timedelta(days=1)

# PS3.3 C.7.3.1.1.1, those that archives hold; a study of another one is found by its date and time.
MODALITIES = (
    "CT", "MR", "US", "CR", "DX", "MG", "XA", "NM", "PT", "RF", "OT", "SC", "SR", "DOC", "PR", "KO", "ES", "XC", "OP",
    "OPT", "ECG", "IO", "PX", "RTIMAGE", "RTDOSE", "RTPLAN", "RTSTRUCT", "SEG", "GM", "SM", "IVUS", "BMD", "REG", "AU",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Window:
    """Studies from `first` to `last`, both days included; None is an open end, both None is everything.

    `begin` and `end` are seconds of the day, `end` not included, and only of a window of one day.
    """

    first: dt.date | None = None
    last: dt.date | None = None
    begin: int = 0
    end: int = _DAY
    modality: str = ""

    @property
    def everything(self) -> bool:
        """Whether it does not restrict."""
        return self.first is None and self.last is None and not self.modality

    @property
    def whole_day(self) -> bool:
        """Whether times are not restricted."""
        return self.begin == 0 and self.end == _DAY

    @property
    def one_day(self) -> bool:
        """Whether it is of one day."""
        return self.first is not None and self.first == self.last

    @property
    def dates(self) -> str:
        """As a range (PS3.4 C.2.2.2.5), "" for everything."""
        if self.first == self.last:
            return _da(self.first)
        return f"{_da(self.first)}-{_da(self.last)}"

    @property
    def times(self) -> str:
        """As a range, "" for the whole day."""
        return "" if self.whole_day else f"{_tm(self.begin)}-{_tm(self.end - 1)}.999999"

    def holds(self, date: dt.date | None, seconds: int | None) -> bool:
        """Whether a study of this date and time may answer it. A study without a date answers no range."""
        if self.first is None and self.last is None:
            return True
        if date is None or (self.first and date < self.first) or (self.last and date > self.last):
            return False
        return self.whole_day or (seconds is not None and self.begin <= seconds < self.end)

    def divided(self) -> tuple[Window, ...]:
        """Windows that make it up, as far as dates and times go; none if it cannot be divided further."""
        if self.everything:
            return (Window(last=EARLIEST), Window(first=EARLIEST + _ONE))
        if self.modality:
            return ()
        if self.first is None or self.last is None:
            return self._closed()
        if self.first < self.last:
            middle = self.first + (self.last - self.first) // 2
            return (replace(self, last=middle), replace(self, first=middle + _ONE))
        if self.end - self.begin > 1:
            noon = (self.begin + self.end) // 2
            return (replace(self, end=noon), replace(self, begin=noon))
        return tuple(replace(self, modality=modality) for modality in MODALITIES)

    def _closed(self) -> tuple[Window, ...]:
        """An open end becomes a closed range and a rest; none beyond the years that anybody writes."""
        if self.first is not None and self.first <= LATEST:
            return (Window(self.first, LATEST), Window(first=LATEST + _ONE))
        if self.last is not None and self.last >= _BEFORE:
            return (Window(last=_BEFORE - _ONE), Window(_BEFORE, self.last))
        return ()


def around(date: dt.date | None, seconds: int | None) -> tuple[Window, ...]:
    """Windows of all other days, and of the other seconds of this one; of all of it for a study without a time."""
    if date is None:
        return ()
    before = (Window(last=date - _ONE),) if date > dt.date.min else ()
    after = (Window(first=date + _ONE),) if date < dt.date.max else ()
    ends = (_DAY // 2, _DAY // 2) if seconds is None else (seconds, seconds + 1)
    morning = (Window(date, date, 0, ends[0]),) if ends[0] > 0 else ()
    evening = (Window(date, date, ends[1], _DAY),) if ends[1] < _DAY else ()
    return before + after + morning + evening


def _da(day: dt.date | None) -> str:
    return f"{day.year:04}{day:%m%d}" if day else ""  # %Y has no leading zeros


def _tm(seconds: int) -> str:
    return f"{seconds // 3600:02}{seconds // 60 % 60:02}{seconds % 60:02}"
