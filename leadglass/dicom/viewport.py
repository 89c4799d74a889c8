"""From a viewport to the region that is shown and the size it leaves in (PS3.18 8.3.5.1.3)."""

from __future__ import annotations

import math

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MAX_PICTURE_PIXELS, MAX_PICTURE_SIDE
from leadglass.core.pictures import Placement, Viewport
from leadglass.dicom.refusal import broken

_MAX_ASPECT = 100.0  # of one pixel: beyond, it is a mistake and pixels are taken as square


def place(rows: int, columns: int, aspect: float, viewport: Viewport | None) -> Placement:
    """Where a picture of an image of `rows` x `columns` comes from. `aspect` is the height of a pixel by its width.

    The region is cut at the image's edges. Raises LeadglassError USAGE for a viewport that makes no sense or is over
    core.limits, CANNOT_CONVERT for an image that is too large to be shown without one.
    """
    region = viewport or Viewport(columns, rows)
    left, right, mirror_columns = _span(region.x, region.region_width, columns)
    top, bottom, mirror_rows = _span(region.y, region.region_height, rows)
    width, height = _square(right - left, bottom - top, aspect)
    if viewport is not None:
        width, height = _fitted(width, height, viewport)
    elif max(width, height) > MAX_PICTURE_SIDE or width * height > MAX_PICTURE_PIXELS:
        raise broken("the image is too large to be shown whole; ask for it with a viewport")
    return Placement(left, top, right, bottom, round(width), round(height), mirror_columns, mirror_rows)


def _usage(comment: str) -> LeadglassError:
    return LeadglassError(ErrorCode.USAGE, comment)


def _span(start: float, size: float | None, whole: int) -> tuple[int, int, bool]:
    """First pixel, the one behind the last, and whether they are mirrored; a region without size goes to the end."""
    size = float(whole) if size is None else size
    if not (math.isfinite(start) and math.isfinite(size)):
        raise _usage("A viewport's numbers must be finite.")
    first = min(max(start, 0.0), float(whole))
    last = min(max(start + abs(size), 0.0), float(whole))
    begin, end = math.floor(first), math.ceil(last)
    if last <= first or end <= begin:
        raise _usage("The viewport's region lies outside the image.")
    return begin, end, size < 0


def _square(columns: int, rows: int, aspect: float) -> tuple[float, float]:
    """Size with square pixels: nothing gets smaller."""
    if not 1 / _MAX_ASPECT <= aspect <= _MAX_ASPECT:
        aspect = 1.0
    return (float(columns), rows * aspect) if aspect >= 1 else (columns / aspect, float(rows))


def _fitted(width: float, height: float, viewport: Viewport) -> tuple[float, float]:
    sides = (viewport.width, viewport.height)
    if min(sides) < 1 or max(sides) > MAX_PICTURE_SIDE or viewport.width * viewport.height > MAX_PICTURE_PIXELS:
        raise _usage("The viewport's size is not between 1 and the largest picture that is made.")
    scale = min(viewport.width / width, viewport.height / height)
    if not viewport.enlarge:
        scale = min(scale, 1.0)
    return max(1.0, width * scale), max(1.0, height * scale)
