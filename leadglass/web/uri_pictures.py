"""What WADO-URI asks of a picture (PS3.18 9.1.2.3), in the words of the rendered resources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MAX_PICTURE_PIXELS, MAX_PICTURE_SIDE
from leadglass.core.pictures import RenderRequest
from leadglass.web.render_request import render_request

_FRAME_DIGITS: Final = 10


def uri_picture(query: Mapping[str, str], media_type: str, rows: int, columns: int) -> RenderRequest:
    """The request for a picture of an image of `rows` x `columns` pixels. USAGE (400) if a parameter cannot be read."""
    wanted = {
        "window": _window(query),
        "viewport": _viewport(query, rows, columns),
        "quality": query.get("imageQuality"),
        "annotation": query.get("annotation"),
    }
    return render_request({name: text for name, text in wanted.items() if text is not None}, media_type)


def uri_frame(query: Mapping[str, str]) -> tuple[int, ...]:
    """The frame that is named, from 1; none if none is."""
    text = query.get("frameNumber")
    if text is None:
        return ()
    if not _is_count(text):
        raise _usage("The frameNumber must be a number from 1.")
    return (int(text),)


def _window(query: Mapping[str, str]) -> str | None:
    center, width = query.get("windowCenter"), query.get("windowWidth")
    if center is None and width is None:
        return None
    if center is None or width is None or "," in center + width:
        raise _usage("The windowCenter and the windowWidth must be numbers and come together.")
    return f"{center},{width},linear"


def _viewport(query: Mapping[str, str], rows: int, columns: int) -> str | None:
    """`rows` and `columns` are the largest size of the picture, `region` is what is shown, in parts of the image."""
    height, width, region = query.get("rows"), query.get("columns"), query.get("region")
    if height is None and width is None and region is None:
        return None
    sides = [_side(width), _side(height)]
    if None in sides:
        known = sides[0] or sides[1] or MAX_PICTURE_SIDE
        room = max(1, min(MAX_PICTURE_SIDE, MAX_PICTURE_PIXELS // known))
        sides = [side or room for side in sides]
    if region is None:
        return f"{sides[0]},{sides[1]}"
    left, top, right, bottom = _region(region)
    shown = (left * columns, top * rows, (right - left) * columns, (bottom - top) * rows)
    if height is None and width is None:  # as large as it is
        sides = [max(1, round(shown[2])), max(1, round(shown[3]))]
    return ",".join(map(str, (*sides, *shown)))


def _side(text: str | None) -> int | None:
    if text is None:
        return None
    if not _is_count(text):
        raise _usage("Rows and columns must be numbers from 1.")
    return min(int(text), MAX_PICTURE_SIDE + 1)  # what is too much is refused with the viewport


def _region(text: str) -> tuple[float, float, float, float]:
    parts = text.split(",")
    try:
        numbers = [float(part) for part in parts if part.isascii()]
    except ValueError:
        numbers = []
    inside = len(parts) == 4 and len(numbers) == 4 and all(0 <= number <= 1 for number in numbers)
    if not inside or numbers[0] >= numbers[2] or numbers[1] >= numbers[3]:
        raise _usage("The region must be left, top, right and bottom, each from 0 to 1.")
    return numbers[0], numbers[1], numbers[2], numbers[3]


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _FRAME_DIGITS and int(text) > 0


def _usage(comment: str) -> LeadglassError:
    return LeadglassError(ErrorCode.USAGE, comment)
