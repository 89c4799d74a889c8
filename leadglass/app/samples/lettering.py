"""Words written into pictures, as scanners and printers write them."""

from __future__ import annotations

from functools import cache

from PIL import ImageDraw, ImageFont

Colour = int | tuple[int, int, int]


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def write(
    draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, size: int, colour: Colour, *, bold: bool = False
) -> None:
    """Write a line of Latin text with its upper left corner at `place`; `size` in pixels."""
    draw.text(place, text, fill=colour, font=_font(size), stroke_width=1 if bold else 0)
