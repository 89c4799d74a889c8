"""Pictures for the page: bars and a trend as inline SVG, with every number written beside its mark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

_WIDTH = 640
_ROW = 30
_LABEL = 210  # units of the picture for the words at the left
_NUMBER = 110  # and for the numbers at the right


class Bar(NamedTuple):
    """One row: its words, its number, how the number is written, and its kind (a class of the page's style)."""

    label: str
    value: float
    written: str
    kind: str = "mark"


def bars(title: str, rows: Sequence[Bar]) -> str:
    """Horizontal bars from a common zero, in the order given. Nothing for no rows."""
    if not rows:
        return ""
    most = max(row.value for row in rows) or 1
    room = _WIDTH - _LABEL - _NUMBER
    parts = []
    for number, row in enumerate(rows):
        top = number * _ROW
        length = max(2.0, row.value / most * room) if row.value else 0.0
        label = row.label if len(row.label) <= 24 else row.label[:23] + "…"
        parts.append(
            f"<g><title>{escape(row.label)}: {escape(row.written)}</title>"
            f'<text class="label" x="{_LABEL - 10}" y="{top + 18}" text-anchor="end">{escape(label)}</text>'
            f'<rect class="{escape(row.kind)}" x="{_LABEL}" y="{top + 6}" width="{length:.1f}" height="16" rx="3"/>'
            f'<text class="number" x="{_LABEL + length + 8:.1f}" y="{top + 18}">{escape(row.written)}</text></g>'
        )
    height = len(rows) * _ROW
    return (
        f'<svg role="img" aria-label="{escape(title)}" viewBox="0 0 {_WIDTH} {height}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


class Point(NamedTuple):
    """One audit of a trend: its day and its number."""

    label: str
    value: float
    written: str


def trend(title: str, points: Sequence[Point]) -> str:
    """A line over audits from a common zero; nothing for fewer than two."""
    if len(points) < 2:
        return ""
    height, left, right, top, floor = 190, 40, _WIDTH - 60, 30, 150
    most = max(point.value for point in points) or 1
    step = (right - left) / (len(points) - 1)
    places = [(left + number * step, floor - point.value / most * (floor - top)) for number, point in enumerate(points)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    every = max(1, len(points) // 8)
    marks = []
    for number, ((x, y), point) in enumerate(zip(places, points, strict=True)):
        marks.append(
            f"<g><title>{escape(point.label)}: {escape(point.written)}</title>"
            f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
        )
        if number % every == 0 or number == len(points) - 1:
            marks.append(
                f'<text class="number" x="{x:.1f}" y="{y - 10:.1f}" text-anchor="middle">{escape(point.written)}</text>'
                f'<text class="label" x="{x:.1f}" y="{floor + 22}" text-anchor="middle">{escape(point.label)}</text>'
            )
        marks.append("</g>")
    return (
        f'<svg role="img" aria-label="{escape(title)}" viewBox="0 0 {_WIDTH} {height}" '
        f'xmlns="http://www.w3.org/2000/svg"><line class="axis" x1="{left}" y1="{floor}" x2="{right}" y2="{floor}"/>'
        f'<polyline class="line" points="{line}"/>{"".join(marks)}</svg>'
    )
