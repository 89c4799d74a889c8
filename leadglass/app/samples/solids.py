"""Soft-edged solids painted into one slice at a time: enough to build a body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the pixels of a slice lie: millimetres, x to the patient's left, y to the back."""

    x: Plane  # (1, columns)
    y: Plane  # (rows, 1)

    @classmethod
    def square(cls, size: int, field: float) -> Grid:
        """A square slice of `size` pixels over `field` millimetres, centred on the body."""
        return cls.of(size, size, field, field)

    @classmethod
    def of(cls, rows: int, columns: int, height: float, width: float) -> Grid:
        """A slice of `rows` by `columns` pixels over `height` by `width` millimetres."""
        x = ((np.arange(columns) + 0.5) / columns - 0.5) * width
        y = ((np.arange(rows) + 0.5) / rows - 0.5) * height
        return cls(x.astype(np.float32)[None, :], y.astype(np.float32)[:, None])

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.y.shape[0], self.x.shape[1]


@dataclass(frozen=True, slots=True)
class Ellipsoid:
    """A solid by its centre and half axes in millimetres; `value` is what is painted."""

    centre: tuple[float, float, float]
    axes: tuple[float, float, float]
    value: float

    def paint(self, plane: Plane, grid: Grid, z: float, inside: Plane | None = None) -> None:
        """Blend the cut at height `z` into `plane`, only where `inside` is (0..1)."""
        height = (z - self.centre[2]) / self.axes[2]
        if abs(height) >= 1:
            return
        shrink = float(np.sqrt(1 - height * height))
        paint_ellipse(
            plane, grid, self.centre[:2], (self.axes[0] * shrink, self.axes[1] * shrink), self.value, inside=inside
        )


def coverage(radius: Plane, axes: tuple[float, float], edge: float = 0.8) -> Plane:
    """How much of a pixel an ellipse covers, 0..1, from its normalised radius; `edge` is in millimetres."""
    sharpness = min(axes) / edge
    result: Plane = (0.5 + sharpness) - sharpness * radius
    np.maximum(result, 0, out=result)
    np.minimum(result, 1, out=result)
    return result


def ellipse_radius(grid: Grid, centre: tuple[float, float], axes: tuple[float, float]) -> Plane:
    """The normalised radius of each pixel: 1 on the ellipse."""
    result: Plane = np.sqrt(((grid.x - centre[0]) / axes[0]) ** 2 + ((grid.y - centre[1]) / axes[1]) ** 2)
    return result


def paint_ellipse(
    plane: Plane,
    grid: Grid,
    centre: tuple[float, float],
    axes: tuple[float, float],
    value: float,
    *,
    inside: Plane | None = None,
) -> None:
    """Blend one ellipse into `plane`, touching only the pixels of its bounding box."""
    if min(axes) < 0.3:
        return
    columns = _touched(grid.x[0], centre[0], axes[0])
    rows = _touched(grid.y[:, 0], centre[1], axes[1])
    across = (grid.x[:, columns] - centre[0]) / axes[0]
    down = (grid.y[rows, :] - centre[1]) / axes[1]
    cover = coverage(np.sqrt(across * across + down * down), axes)
    if inside is not None:
        cover *= inside[rows, columns]
    part = plane[rows, columns]
    part += cover * (value - part)


def _touched(positions: Plane, centre: float, reach: float) -> slice:
    """The evenly spaced `positions` within `reach` and a millimetre of `centre`."""
    first, step = float(positions[0]), float(positions[1] - positions[0])
    start = int((centre - reach - 1 - first) / step)
    end = int((centre + reach + 1 - first) / step) + 1
    return slice(max(start, 0), max(end, 0))


def smooth(plane: Plane) -> Plane:
    """A three by three mean: takes the grain of white noise to that of a reconstruction."""
    padded = np.pad(plane, 1, mode="wrap")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    result: Plane = ((rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / 9).astype(np.float32)
    return result
