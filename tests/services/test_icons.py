"""Icons: one for each kind without a picture, told apart by the eye, of the size asked for and no more."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from leadglass.dicom.picture_kinds import PICTURED, PictureKind
from leadglass.services.icons import LARGEST, SMALLEST, icon

WITHOUT = [kind for kind in PictureKind if kind not in PICTURED]


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)), np.int16)


@pytest.mark.parametrize("png", [True, False])
@pytest.mark.parametrize("side", [16, 128, 500])
def test_they_have_the_size_and_the_type_that_is_asked_for(png: bool, side: int) -> None:
    image = Image.open(io.BytesIO(icon(PictureKind.REPORT, side, png=png)))
    assert (image.size, image.format) == ((side, side), "PNG" if png else "JPEG")


def test_no_two_kinds_look_alike() -> None:
    drawn = [pixels(icon(kind, 128, png=True)) for kind in WITHOUT]
    for place, one in enumerate(drawn):
        for other in drawn[:place]:
            assert np.mean(np.abs(one - other) > 20) > 0.02


@pytest.mark.parametrize("side", [0, -5, 1 << 40])
def test_a_size_beyond_reason_is_cut(side: int) -> None:
    image = Image.open(io.BytesIO(icon(PictureKind.OTHER, side, png=True)))
    assert SMALLEST <= image.size[0] <= LARGEST
