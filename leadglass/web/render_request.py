"""What a request asks of a picture: query parameters (PS3.18 8.3.5) and media type, bounded before anything is read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MAX_PICTURE_PIXELS, MAX_PICTURE_SIDE
from leadglass.core.pictures import (
    DEFAULT_QUALITY,
    JPEG,
    PICTURE_TYPES,
    PNG,
    Annotation,
    RenderRequest,
    Viewport,
    Window,
    WindowFunction,
)
from leadglass.web.negotiation import MediaRange, first_offered

_PARAMETERS: Final = ("annotation", "quality", "viewport", "window", "iccprofile")
THUMBNAIL_SIDE: Final = 128  # pixels of a thumbnail's box unless a viewport says otherwise
_LONGEST: Final = 256  # characters of one parameter's value
_LARGEST: Final = 1e30  # of a window's numbers: arithmetic on them stays finite


def render_request(parameters: Mapping[str, str], media_type: str) -> RenderRequest:
    """The request for a rendered resource. USAGE (400) if a parameter cannot be read or is out of range.

    Parameters that are not of rendering are none of this function's business.
    """
    _refuse_long(parameters)
    _profile(parameters.get("iccprofile"))
    return RenderRequest(
        media_type=media_type,
        quality=_quality(parameters.get("quality")),
        window=_window(parameters.get("window")),
        viewport=_viewport(parameters.get("viewport")),
        annotation=_annotation(parameters.get("annotation")),
    )


def thumbnail_request(parameters: Mapping[str, str], media_type: str) -> RenderRequest:
    """The request for a thumbnail: a viewport of a width and a height, or a small square (PS3.18 10.4.1.1.4)."""
    _refuse_long(parameters)
    viewport = _viewport(parameters.get("viewport"))
    if viewport is None:
        viewport = Viewport(THUMBNAIL_SIDE, THUMBNAIL_SIDE, enlarge=False)
    elif (viewport.x, viewport.y, viewport.region_width, viewport.region_height) != (0.0, 0.0, None, None):
        raise _usage("A thumbnail's viewport is a width and a height, and no region.")
    return RenderRequest(media_type=media_type, viewport=viewport)


def picture_type(ranges: Sequence[MediaRange], *, several: bool = False) -> tuple[str, bool]:
    """The media type of pictures, and whether they stand in a multipart/related. CANNOT_CONVERT (406) if none fits.

    JPEG goes before PNG and GIF where any is accepted; `several` pictures go into parts where that is.
    """
    alone = list(PICTURE_TYPES)
    parts = [f"multipart/related;{kind}" for kind in alone]
    _, offer = first_offered(ranges, [*parts, *alone] if several else [*alone, *parts])
    kind, _, part = offer.partition(";")
    return part or kind, bool(part)


def thumbnail_type(ranges: Sequence[MediaRange]) -> str:
    """The media type of a thumbnail: JPEG or PNG, and never in parts. CANNOT_CONVERT (406) if neither fits."""
    return first_offered(ranges, (JPEG, PNG))[1]


def _refuse_long(parameters: Mapping[str, str]) -> None:
    if any(len(parameters.get(name, "")) > _LONGEST for name in _PARAMETERS):
        raise _usage("A parameter of rendering is too long.")


def _quality(text: str | None) -> int:
    if text is None:
        return DEFAULT_QUALITY
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= 100):
        raise _usage("The quality must be a whole number from 1 to 100.")
    return int(text)


def _window(text: str | None) -> Window | None:
    """center,width[,function] (PS3.18 8.3.5.1.4); what the functions take is in PS3.3 C.11.2.1.2 and C.11.2.1.3."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if len(parts) not in (2, 3):
        raise _usage("The window must be a center, a width and a function, separated by commas.")
    center, width = _number(parts[0], "window"), _number(parts[1], "window")
    try:
        function = WindowFunction(parts[2].lower()) if len(parts) == 3 else WindowFunction.LINEAR
    except ValueError:
        raise _usage("The window's function must be linear, linear-exact or sigmoid.") from None
    smallest = 1.0 if function is WindowFunction.LINEAR else 1 / _LARGEST
    if not smallest <= width <= _LARGEST or abs(center) > _LARGEST:
        raise _usage("The window's width must be at least 1 (linear), or above 0 (linear-exact, sigmoid).")
    return Window(center, width, function)


def _viewport(text: str | None) -> Viewport | None:
    """vw,vh or vw,vh,sx,sy,sw,sh, of which the last four may be empty (PS3.18 8.3.5.1.3)."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if len(parts) not in (2, 6):
        raise _usage("The viewport must have 2 or 6 numbers, separated by commas.")
    width, height = (_side(part) for part in parts[:2])
    if width * height > MAX_PICTURE_PIXELS:
        raise _usage(f"The viewport may have {MAX_PICTURE_PIXELS} pixels at most.")
    x, y, region_width, region_height = (
        _number(part, "viewport") if part else None for part in (parts[2:] or [""] * 4)
    )
    if region_width == 0 or region_height == 0:
        raise _usage("The viewport's region has no size.")
    return Viewport(width, height, x or 0.0, y or 0.0, region_width, region_height)


def _side(text: str) -> int:
    number = _number(text, "viewport")
    if number != int(number) or not 1 <= number <= MAX_PICTURE_SIDE:
        raise _usage(f"The viewport's width and height must be whole numbers from 1 to {MAX_PICTURE_SIDE}.")
    return int(number)


def _annotation(text: str | None) -> frozenset[Annotation]:
    """Keywords, separated by commas (PS3.18 8.3.5.1.1)."""
    if text is None:
        return frozenset()
    try:
        return frozenset(Annotation(part.strip().lower()) for part in text.split(",") if part.strip())
    except ValueError:
        known = ", ".join(item.value for item in Annotation)
        raise _usage(f"The annotation must be of these: {known}.") from None


def _profile(text: str | None) -> None:
    """No ICC profile is put into pictures (PS3.18 8.3.5.1.5: the default is no)."""
    if text is not None and text.strip().lower() != "no":
        raise _usage("Pictures are made without an ICC profile here: iccprofile can only be no.")


def _number(text: str, name: str) -> float:
    plain = text.isascii() and "_" not in text
    try:
        number = float(text) if plain else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise _usage(f"The {name} must be made of numbers.")
    return number


def _usage(comment: str) -> LeadglassError:
    return LeadglassError(ErrorCode.USAGE, comment)
