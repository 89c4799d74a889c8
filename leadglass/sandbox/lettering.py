"""Writes annotations into the corners of a picture.

The font covers Latin, Greek, Cyrillic, Armenian, Hebrew and Arabic; a character that it lacks appears as a box. Han,
Kana, Hangul and Thai are not covered: see dicom.annotation for what then becomes of a name.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

_FONT: Final = Path(__file__).parent / "fonts" / "DejaVuSans.ttf"
_SMALLEST, _LARGEST = 9, 40  # pixels
_LINES_PER_PICTURE: Final = 32  # a line of text takes that part of the shorter side


@cache
def _font_bytes() -> bytes:
    return _FONT.read_bytes()  # before the process is confined: `load`


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(BytesIO(_font_bytes()), size)


def load() -> None:
    """Load the font and all that writing needs."""
    picture = Image.new("L", (64, 64))
    for text in ("Aé", "שלום", "مثال"):
        write(picture, [text], [text])


def write(picture: Image.Image, lines: Sequence[str], captions: Sequence[str]) -> None:
    """`lines` from the upper left corner down, `captions` from the lower left corner up, white with a black edge."""
    size = min(max(min(picture.size) // _LINES_PER_PICTURE, _SMALLEST), _LARGEST)
    step = round(size * 1.3)
    draw = ImageDraw.Draw(picture)
    margin = size // 2
    for number, line in enumerate(lines):
        _line(draw, (margin, margin + number * step), line, size)
    below = picture.height - margin - step * len(captions)
    for number, line in enumerate(captions):
        _line(draw, (margin, below + number * step), line, size)


def _line(draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, size: int) -> None:
    grey = draw.im.mode == "L"
    draw.text(
        place,
        text,
        fill=255 if grey else (255, 255, 255),
        font=_font(size),
        stroke_width=max(1, size // 12),
        stroke_fill=0 if grey else (0, 0, 0),
    )
