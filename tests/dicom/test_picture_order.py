"""Whatever a header says of its pixels is compared with what there is before memory is asked for (D1, D2, D3)."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from objects import encoded
from pictures import colour_image, grey_image, order_of
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.pictures import GIF, RenderRequest, Viewport
from leadglass.dicom.picture_header import read_picture_header
from leadglass.dicom.uids import EXPLICIT_VR_LE, IMPLICIT_VR_LE

RLE = "1.2.840.10008.1.2.5"


def plain(**changes: Any) -> Dataset:
    return grey_image(np.zeros((4, 6), np.uint16), **changes)


def refused(
    made: Dataset | bytes,
    code: ErrorCode = ErrorCode.CANNOT_CONVERT,
    syntax: str = EXPLICIT_VR_LE,
    frame: int = 0,
    **request: Any,
) -> None:
    data = made if isinstance(made, bytes) else encoded(made, syntax)
    with pytest.raises(LeadglassError) as caught:
        order_of(data, syntax, [frame], RenderRequest(**request))
    assert caught.value.code is code


@pytest.mark.parametrize(
    "changes",
    [
        {"Rows": 65535, "Columns": 65535},
        {"Rows": 65535, "Columns": 65535, "BitsAllocated": 32},
        {"Rows": 65535, "Columns": 65535, "SamplesPerPixel": 3, "NumberOfFrames": 2147483647},
        {"Rows": 0},
        {"Columns": 0},
        {"Rows": 5},
        {"SamplesPerPixel": 0},
        {"SamplesPerPixel": 2},
        {"SamplesPerPixel": 65535},
        {"BitsAllocated": 0},
        {"BitsAllocated": 12},
        {"BitsAllocated": 65535},
        {"BitsStored": 0},
        {"BitsStored": 17},
        {"BitsAllocated": 64, "BitsStored": 64},
        {"BitsAllocated": 1, "BitsStored": 1, "Rows": 65535, "Columns": 65535},
        {"PhotometricInterpretation": "RGB"},
        {"PhotometricInterpretation": ""},
        {"PhotometricInterpretation": "PALETTE COLOR"},
    ],
)
def test_d1_dimensions_that_lie(changes: dict[str, Any]) -> None:
    refused(plain(**changes))


@pytest.mark.parametrize("number", ["0", "-1", "999999", "2147483647", "99999999999", "abc", "1e3"])
def test_d2_numbers_of_frames_that_lie(number: str) -> None:
    made = plain()
    made.add_new(0x00280008, "SH", number)
    refused(encoded(made, IMPLICIT_VR_LE), syntax=IMPLICIT_VR_LE)


def test_a_frame_that_there_is_not() -> None:
    for frame in (-1, 1, 2**63):
        refused(plain(), ErrorCode.NOT_FOUND, frame=frame)


def test_several_frames_are_a_gif_and_bounded() -> None:
    made = grey_image(np.zeros((3, 4, 4), np.uint8))
    data = encoded(made)
    assert order_of(data, EXPLICIT_VR_LE, [0, 1, 2], RenderRequest(GIF))[0].frames == 3
    for frames, request in (
        ([0, 1], RenderRequest()),
        ([], RenderRequest()),
        ([0] * 2001, RenderRequest(GIF)),
        ([0] * 50, RenderRequest(GIF, viewport=Viewport(8000, 8000))),
    ):
        with pytest.raises(LeadglassError) as caught:
            order_of(data, EXPLICIT_VR_LE, frames, request)
        assert caught.value.code is ErrorCode.USAGE


def fragments(*pieces: bytes, table: bytes = b"", frames: int = 1, end: bytes = b"\xfe\xff\xdd\xe0\0\0\0\0") -> bytes:
    made = plain(NumberOfFrames=frames)
    head = encoded(made)[: encoded(made).index(b"\xe0\x7f\x10\x00OW")]
    items = b"".join(b"\xfe\xff\x00\xe0" + struct.pack("<L", len(piece)) + piece for piece in (table, *pieces))
    return head + b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + items + end


def test_fragments_are_found() -> None:
    order, frames = order_of(fragments(b"12", b"34", frames=2), RLE, [0, 1], RenderRequest(GIF))
    assert order.form.encapsulated
    assert frames == [b"12", b"34"]


@pytest.mark.parametrize(
    "data",
    [
        fragments(),
        fragments(b"12", frames=2),
        fragments(b"12", b"34", table=struct.pack("<2L", 0, 4), frames=2),
        fragments(b"12", b"34", table=struct.pack("<2L", 10, 0), frames=2),
        fragments(b"12", b"34", table=struct.pack("<2L", 0, 0xFFFFFFF0), frames=2),
        fragments(b"12", b"34", table=b"\0\0\0", frames=2),
        fragments(b"12", end=b""),
        fragments(b"12", end=b"\xfe\xff\x00\xe0\xfe\xff\xff\xff"),
        fragments(*[b"12"] * 10_000, frames=999_999),
    ],
)
def test_d3_fragments_and_tables_that_lie(data: bytes) -> None:
    with pytest.raises(LeadglassError):
        order_of(data, RLE, [1], RenderRequest())


def test_films_and_what_has_no_pixels_are_refused() -> None:
    made = plain(PixelData=encapsulate([b"film"]))
    made["PixelData"].is_undefined_length = True
    refused(encoded(made), syntax="1.2.840.10008.1.2.4.102")
    without = plain()
    del without.PixelData
    data = encoded(without)
    assert not read_picture_header(lambda at, n: data[at : at + n], EXPLICIT_VR_LE, len(data)).layout.pixel_tag


def test_halved_chrominance_needs_pairs() -> None:
    made = colour_image(np.zeros((4, 5, 3), np.uint8), PhotometricInterpretation="YBR_FULL_422")
    refused(made)


@pytest.mark.parametrize("quality", [0, 101, -5])
def test_qualities_that_there_are_not(quality: int) -> None:
    refused(plain(), ErrorCode.USAGE, quality=quality)
    refused(plain(), ErrorCode.USAGE, media_type="image/tiff")


def item(**attributes: Any) -> Dataset:
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


@pytest.mark.parametrize("syntax", [EXPLICIT_VR_LE, IMPLICIT_VR_LE])
def test_frames_have_their_own_rescale_and_window(syntax: str) -> None:
    made = grey_image(np.zeros((2, 4, 4), np.uint16), WindowCenter="1", WindowWidth="2")
    made.SharedFunctionalGroupsSequence = Sequence(
        [item(FrameVOILUTSequence=Sequence([item(WindowCenter="50", WindowWidth="60")]))]
    )
    made.PerFrameFunctionalGroupsSequence = Sequence(
        [
            item(
                PixelValueTransformationSequence=Sequence([item(RescaleSlope=str(n), RescaleIntercept=str(-n))]),
                **({"FrameVOILUTSequence": Sequence([item(WindowCenter="7", WindowWidth="8")])} if n == 2 else {}),
            )
            for n in (1, 2)
        ]
    )
    order, _ = order_of(encoded(made, syntax), syntax, [0, 1], RenderRequest(GIF))
    assert [(grey.slope, grey.intercept) for grey in order.greys] == [(1, -1), (2, -2)]
    assert [grey.window.center for grey in order.greys if grey.window] == [50, 7]


def test_headers_that_would_fill_memory_are_refused() -> None:
    made = plain(PhotometricInterpretation="PALETTE COLOR")
    made.PerFrameFunctionalGroupsSequence = Sequence([item() for _ in range(300_000)])
    refused(made)
