"""A bar for each day: numbers of a picture that the template draws. No library, nothing of patients."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 720
HEIGHT: Final = 160  # of the highest bar
_GAP: Final = 3


@dataclass(frozen=True, slots=True)
class Bar:
    """One day: where its bar stands (from the top left), and what it stands for."""

    x: float
    y: float
    width: float
    height: float
    day: str
    instances: int
    size: int


def bars(days: Sequence[tuple[int, int, int]], last: int, count: int) -> list[Bar]:
    """`count` days up to `last` (days since the epoch); the highest bar is HEIGHT, a day with anything at least one."""
    known = {day: (instances, size) for day, instances, size in days}
    most = max((size for _, size in known.values()), default=0) or 1
    step = WIDTH / count
    made = []
    for number in range(count):
        day = last - count + 1 + number
        instances, size = known.get(day, (0, 0))
        height = max(1.0, HEIGHT * size / most) if instances else 0.0
        name = (dt.date(1970, 1, 1) + dt.timedelta(days=day)).isoformat()
        made.append(
            Bar(
                round(number * step, 1),
                round(HEIGHT - height, 1),
                round(step - _GAP, 1),
                round(height, 1),
                name,
                instances,
                size,
            )
        )
    return made
