"""Parameters of rendered resources, as clients write them and as they should not (D7, E5)."""

from __future__ import annotations

import pytest

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MAX_PICTURE_SIDE
from leadglass.core.pictures import GIF, JPEG, PNG, Annotation, Viewport, Window, WindowFunction
from leadglass.web.negotiation import parse_accept
from leadglass.web.render_request import picture_type, render_request, thumbnail_request, thumbnail_type


def asked(**parameters: str):
    return render_request(parameters, JPEG)


def test_nothing_asked_is_the_image_as_it_is() -> None:
    request = asked()
    assert (request.window, request.viewport, request.annotation, request.media_type) == (None, None, frozenset(), JPEG)
    assert 1 <= request.quality <= 100


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("40,400,linear", Window(40, 400)),
        ("-600.5, 1.5e3 ,SIGMOID", Window(-600.5, 1500, WindowFunction.SIGMOID)),
        ("0,0.25,linear-exact", Window(0, 0.25, WindowFunction.LINEAR_EXACT)),
        ("40,400", Window(40, 400)),
    ],
)
def test_windows(text: str, window: Window) -> None:
    assert asked(window=text).window == window


@pytest.mark.parametrize(
    ("text", "viewport"),
    [
        ("512,256", Viewport(512, 256)),
        ("512,256,,,,", Viewport(512, 256)),
        ("10,10,1.5,2,-30,40", Viewport(10, 10, 1.5, 2, -30, 40)),
        ("10,10,,,30,", Viewport(10, 10, region_width=30)),
    ],
)
def test_viewports(text: str, viewport: Viewport) -> None:
    assert asked(viewport=text).viewport == viewport


def test_annotations_and_quality() -> None:
    assert asked(annotation="patient,Technique").annotation == {Annotation.PATIENT, Annotation.TECHNIQUE}
    assert [asked(quality=text).quality for text in ("1", "100", "085")] == [1, 100, 85]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("window", text) for text in ("40,0", "40,0.5,linear", "0,0,sigmoid", "0,-1,sigmoid", "1e308,1e308")),
        *(("window", text) for text in ("nan,1", "1,nan", "inf,1", "1,inf", "40", "40,400,cubic", "1,2,linear,4", "")),
        *(("window", text) for text in ("1_0,1_0", "１,２", "0x10,1", "1e999,1")),
        *(("quality", text) for text in ("0", "101", "-1", "85.0", "", "٣", "1" * 200)),
        *(("viewport", text) for text in ("0,1", "1,0", "-1,1", "1.5,1", "1", "1,1,1", "1,1,0,0,0,1", "", "a,b")),
        *(("viewport", text) for text in ("99999999999999999999,1", "nan,nan", "1,1,nan,,,", "1,1,1e999,,,")),
        ("viewport", f"{MAX_PICTURE_SIDE},{MAX_PICTURE_SIDE}"),
        ("viewport", f"{MAX_PICTURE_SIDE + 1},1"),
        ("annotation", "patient,everything"),
        ("iccprofile", "srgb"),
        ("window", "1," * 1_000_000),
        ("annotation", "patient," * 1_000_000),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence(name: str, text: str) -> None:
    with pytest.raises(LeadglassError) as refused:
        render_request({name: text}, JPEG)
    assert refused.value.code is ErrorCode.USAGE
    assert len(refused.value.comment) < 200


def test_a_thumbnail_has_a_size_and_no_region() -> None:
    plain = thumbnail_request({}, JPEG).viewport
    assert plain is not None
    assert not plain.enlarge
    assert thumbnail_request({"viewport": "64,32"}, JPEG).viewport == Viewport(64, 32)
    with pytest.raises(LeadglassError):
        thumbnail_request({"viewport": "64,32,1,1,5,5"}, JPEG)
    assert thumbnail_request({"annotation": "patient"}, JPEG).annotation == frozenset()


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", (JPEG, False)),
        ("image/*", (JPEG, False)),
        ("image/png", (PNG, False)),
        ("image/jpeg;q=0.5, image/gif", (GIF, False)),
        ('multipart/related; type="image/png"', (PNG, True)),
        ("multipart/related", (JPEG, True)),
    ],
)
def test_the_type_is_negotiated(accept: str, expected: tuple[str, bool]) -> None:
    assert picture_type(parse_accept(accept)) == expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", (JPEG, True)),
        ("image/png", (PNG, False)),
        ('multipart/related; type="image/gif"', (GIF, True)),
    ],
)
def test_several_go_into_parts_where_that_is_accepted(accept: str, expected: tuple[str, bool]) -> None:
    assert picture_type(parse_accept(accept), several=True) == expected


@pytest.mark.parametrize("accept", ["image/webp", "video/mp4", 'multipart/related; type="application/dicom"'])
def test_what_is_not_made_is_not_acceptable(accept: str) -> None:
    with pytest.raises(LeadglassError) as refused:
        picture_type(parse_accept(accept))
    assert refused.value.code is ErrorCode.CANNOT_CONVERT


def test_a_thumbnail_is_never_animated() -> None:
    assert [thumbnail_type(parse_accept(text)) for text in ("", "image/*", "image/png", "image/gif, */*;q=0.1")] == [
        *(JPEG, JPEG, PNG, JPEG)
    ]
