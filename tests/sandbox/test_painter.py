"""Pictures show what the standard says: the same greys and colours as pydicom's modality, VOI and palette functions."""

from __future__ import annotations

import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from objects import encoded
from pictures import changed, colour_image, grey_image, opened, order_of, painted
from PIL import Image
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, convert_color_space, pixel_array
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.pictures import GIF, JPEG, Annotation, RenderRequest, Viewport, Window, WindowFunction
from leadglass.dicom.uids import EXPLICIT_VR_BE, EXPLICIT_VR_LE, IMPLICIT_VR_LE
from leadglass.sandbox.painter import Painter

RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)


def item(**attributes: Any) -> Dataset:
    return changed(Dataset(), attributes)


def expected(made: Dataset) -> NDArray[Any]:
    """pydicom's values behind modality and VOI as 0..255."""
    kind = f"<{'i' if made.PixelRepresentation else 'u'}{made.BitsAllocated // 8}"
    stored = np.frombuffer(made.PixelData, kind)[: made.Rows * made.Columns].reshape(made.Rows, made.Columns)
    shown = apply_voi_lut(apply_modality_lut(stored, made), made).astype(float)
    if "VOILUTSequence" in made:
        return shown / (2 ** made.VOILUTSequence[0].LUTDescriptor[2] - 1) * 255
    slope, intercept = float(made.get("RescaleSlope", 1)), float(made.get("RescaleIntercept", 0))
    low, high = (
        (0, 2**made.BitsStored - 1)
        if not made.PixelRepresentation
        else (-(2 ** (made.BitsStored - 1)), 2 ** (made.BitsStored - 1) - 1)
    )
    if "ModalityLUTSequence" in made:
        low, high = 0, 2 ** made.ModalityLUTSequence[0].LUTDescriptor[2] - 1
        slope, intercept = 1, 0
    low, high = low * slope + intercept, high * slope + intercept
    return (shown - low) / (high - low) * 255


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(("center", "width"), [(40, 400), (-300.5, 1), (1000, 4096), (0, 2)])
def test_windows_are_pydicoms(function: str, signed: bool, center: float, width: float) -> None:
    pixels = RAMP.astype(np.int16) - 2048 if signed else RAMP
    made = grey_image(
        pixels,
        BitsStored=16 if signed else 12,
        RescaleSlope="1.5",
        RescaleIntercept="-1024",
        WindowCenter=str(center),
        WindowWidth=str(width),
        VOILUTFunction=function,
    )
    assert np.abs(painted(made) - expected(made)).max() <= 1


def test_a_rescale_alone_shows_the_range_of_the_values() -> None:
    shown = painted(grey_image(RAMP, BitsStored=12, RescaleSlope="2", RescaleIntercept="-7"))
    assert (shown[0, 0], shown[-1, -1]) == (0, 255)
    assert np.abs(shown - RAMP / 4095 * 255).max() <= 1.5  # the range is that of nearly all values


def lut(entries: list[int], first: int = 0, bits: int = 16) -> Dataset:
    made = item(LUTDescriptor=[len(entries), first, bits])
    made.add_new(0x00283006, "OW", np.array(entries, "<u2").tobytes())
    return made


def test_a_modality_table_is_pydicoms() -> None:
    table = [min(65535, value * value // 200) for value in range(4096)]
    made = grey_image(RAMP, BitsStored=12, WindowCenter="30000", WindowWidth="50000")
    made.ModalityLUTSequence = Sequence([lut(table)])
    assert np.abs(painted(made) - expected(made)).max() <= 1


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_a_voi_table_is_pydicoms(bits: int) -> None:
    top = 2**bits - 1
    made = grey_image(RAMP, BitsStored=12)
    made.VOILUTSequence = Sequence([lut([top - round(top * n / 999) for n in range(1000)], 700, bits)])
    assert np.abs(painted(made) - expected(made)).max() <= 1


@pytest.mark.parametrize("kind", ["u1", "<u2"])
def test_a_table_of_bytes_stands_in_bytes_or_words(kind: str) -> None:
    """PS3.3 C.11.2.1.1 packs them; half of the writers do not."""
    made = grey_image(np.arange(100, dtype=np.uint8).reshape(10, 10))
    table = lut(list(range(100)), bits=8)
    table.LUTData = np.arange(255, 155, -1).astype(kind).tobytes()
    made.VOILUTSequence = Sequence([table])
    assert np.array_equal(painted(made), 255 - np.arange(100).reshape(10, 10))


def test_the_window_that_is_asked_for_goes_first() -> None:
    made = grey_image(RAMP, BitsStored=12, WindowCenter="2000", WindowWidth="10")
    asked = painted(made, window=Window(100, 101, WindowFunction.LINEAR))
    made.WindowCenter, made.WindowWidth = "100", "101"
    assert np.array_equal(asked, painted(made))


@pytest.mark.parametrize(
    ("center", "width"), [("nan", "400"), ("40", "0"), ("40", "-3"), ("1e308", "1e308"), ("40", "1e-320"), ("x", "y")]
)
def test_d7_a_window_that_makes_no_sense_is_as_if_absent(center: str, width: str) -> None:
    made = grey_image(RAMP, BitsStored=12)
    plain = painted(made)
    for tag, text in ((0x00281050, center), (0x00281051, width)):
        raw = text.encode() + b" " * (len(text) % 2)
        made[tag] = RawDataElement(Tag(tag), "DS", len(raw), raw, 0, False, True)
    assert np.array_equal(painted(made), plain)


@pytest.mark.parametrize(
    "window",
    [
        *(Window(0, width) for width in (0, 0.5, -1, float("nan"), float("inf"), 1e308)),
        *(Window(center, 10) for center in (float("nan"), 1e308)),
        Window(0, 0, WindowFunction.SIGMOID),
    ],
)
def test_d7_a_window_that_is_asked_for_and_makes_no_sense_is_refused(window: Window) -> None:
    with pytest.raises(LeadglassError) as caught:
        painted(grey_image(RAMP), window=window)
    assert caught.value.code is ErrorCode.USAGE


def test_d7_extreme_windows_that_are_allowed_do_not_overflow() -> None:
    made = grey_image(RAMP, BitsStored=12)
    for window in (
        Window(1e30, 1e30),
        Window(-1e30, 1e-29, WindowFunction.LINEAR_EXACT),
        Window(5, 1e-29, WindowFunction.SIGMOID),
    ):
        assert painted(made, window=window).shape == RAMP.shape


@pytest.mark.parametrize(
    "how",
    [
        {"PhotometricInterpretation": "MONOCHROME1"},
        {"PresentationLUTShape": "INVERSE"},
        {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"},
    ],
)
@pytest.mark.parametrize("function", ["LINEAR", "SIGMOID"])
def test_inverse_is_inverted_once(how: dict[str, str], function: str) -> None:
    window = {"WindowCenter": "2000", "WindowWidth": "1500", "VOILUTFunction": function, "BitsStored": 12}
    plain = painted(grey_image(RAMP, **window)).astype(int)
    assert np.abs(255 - plain - painted(grey_image(RAMP, **window, **how))).max() <= 1


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_background_and_no_part_of_the_range(photometric: str) -> None:
    pixels = (RAMP % 1000 + 100).astype(np.int16)
    pixels[:8] = -2000
    made = grey_image(pixels, PhotometricInterpretation=photometric, PixelPaddingValue=-2000)
    shown = painted(made)
    assert not shown[:8].any()
    assert {int(shown[8:].min()), int(shown[8:].max())} == {0, 255}
    made.PixelPaddingRangeLimit = 150
    assert not painted(made)[pixels <= 150].any()
    made.WindowCenter, made.WindowWidth = "0", "6000"
    assert not painted(made)[pixels <= 150].any()


def test_other_bits_beside_the_stored_ones_are_not_seen() -> None:
    clean = grey_image(RAMP, BitsStored=12, HighBit=11)
    dirty = grey_image(RAMP | 0xF000, BitsStored=12, HighBit=11)
    high = grey_image(RAMP << 4, BitsStored=12, HighBit=15)
    assert np.array_equal(painted(dirty), painted(clean))
    assert np.array_equal(painted(high), painted(clean))
    signed = grey_image((RAMP.astype(np.int16) - 2048) & 0xFFF, BitsStored=12, HighBit=11, PixelRepresentation=1)
    assert np.array_equal(
        painted(signed, window=Window(0, 1000)), painted(grey_image(RAMP, BitsStored=12), window=Window(2048, 1000))
    )


@pytest.mark.parametrize("syntax", [EXPLICIT_VR_LE, IMPLICIT_VR_LE, EXPLICIT_VR_BE])
@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "u4", "i4"])
def test_every_width_and_sign_in_every_order(syntax: str, kind: str) -> None:
    pixels = (np.arange(30 * 21) % 200 - (100 if kind[0] == "i" else 0)).astype(kind).reshape(21, 30)
    made = grey_image(pixels, WindowCenter="50", WindowWidth="150")
    if syntax == EXPLICIT_VR_BE:
        raw = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
        words = (
            pixels.astype(f">{kind}").tobytes() if kind[1] != "1" else np.frombuffer(raw, "<u2").byteswap().tobytes()
        )
        made.PixelData = words + b"\0" * (len(words) % 2)
    reference = np.clip((pixels.astype(float) - 49.5) / 149 + 0.5, 0, 1) * 255
    assert np.abs(painted(made, syntax) - reference).max() <= 1


def test_floating_point_pixels() -> None:
    reals = np.linspace(-3, 5, 600).reshape(20, 30)
    for kind, keyword in (("<f4", "FloatPixelData"), ("<f8", "DoubleFloatPixelData")):
        made = grey_image(np.zeros((20, 30), np.uint16), BitsAllocated=8 * int(kind[2]))
        del made.PixelData, made.BitsStored, made.HighBit, made.PixelRepresentation
        values = reals.astype(kind)
        values[0, 0] = np.nan
        setattr(made, keyword, values.tobytes())
        shown = painted(made, window=Window(1, 8, WindowFunction.LINEAR_EXACT))
        assert np.abs(shown[1:] - ((reals - 1) / 8 + 0.5)[1:] * 255).max() <= 1
        assert painted(made)[-1, -1] == 255


def test_single_bits_of_a_frame_that_begins_inside_a_byte() -> None:
    bits = np.random.default_rng(1).integers(0, 2, (3, 5, 7)).astype(np.uint8)
    made = grey_image(bits, BitsAllocated=1, BitsStored=1, HighBit=0, NumberOfFrames=3)
    packed = np.packbits(bits.reshape(-1), bitorder="little").tobytes()
    made.PixelData = packed + b"\0" * (len(packed) % 2)
    for number in range(3):
        assert np.array_equal(painted(made, frame=number), bits[number] * 255)


# --- colour ---

COLOURS = np.random.default_rng(2).integers(0, 256, (12, 16, 3), np.uint8)


def test_colours_by_pixel_and_by_plane() -> None:
    assert np.array_equal(painted(colour_image(COLOURS)), COLOURS)
    planes = COLOURS.transpose(2, 0, 1).tobytes()
    assert np.array_equal(painted(colour_image(COLOURS, PlanarConfiguration=1, PixelData=planes)), COLOURS)


def test_luminance_and_chrominance_are_pydicoms() -> None:
    made = colour_image(COLOURS, PhotometricInterpretation="YBR_FULL")
    wanted = convert_color_space(COLOURS, "YBR_FULL", "RGB").astype(int)
    assert np.abs(painted(made) - wanted).max() <= 1


def test_halved_chrominance() -> None:
    whole = COLOURS.copy()
    whole[:, 1::2, 1:] = whole[:, ::2, 1:]
    halved = np.concatenate([whole[:, ::2, :1], whole[:, 1::2, :1], whole[:, ::2, 1:]], axis=2)
    made = colour_image(COLOURS, PhotometricInterpretation="YBR_FULL_422", PixelData=halved.tobytes())
    assert np.array_equal(painted(made), painted(colour_image(whole, PhotometricInterpretation="YBR_FULL")))


def palette_image(first: int = 0, bits: int = 16, entries: int = 200) -> Dataset:
    made = grey_image(np.arange(256, dtype=np.uint8).reshape(16, 16), PhotometricInterpretation="PALETTE COLOR")
    for number, colour in enumerate(("Red", "Green", "Blue")):
        table = (np.arange(entries) * (number + 1) * 300 % 65536).astype("<u2")
        if bits == 8:
            table = (table % 256).astype(np.uint8)
        setattr(made, f"{colour}PaletteColorLookupTableDescriptor", [entries, first, bits])
        setattr(made, f"{colour}PaletteColorLookupTableData", table.tobytes())
    return made


@pytest.mark.parametrize(("first", "bits"), [(0, 16), (20, 16), (0, 8)])
def test_d4_a_palette_is_pydicoms_and_indices_outside_take_its_ends(first: int, bits: int) -> None:
    made = palette_image(first, bits)
    wanted = apply_color_lut(np.arange(256, dtype=np.uint8).reshape(16, 16), made) >> (bits - 8)
    assert np.array_equal(painted(made), wanted)


def test_a_segmented_palette() -> None:
    made = palette_image()
    linear = [0, 2, 0, 1000, 1, 98, 50000, 0, 1, 7, 1, 99, 60000]  # 2 discrete, 98 on a line, 1 discrete, 99 on a line
    for colour in ("Red", "Green", "Blue"):
        delattr(made, f"{colour}PaletteColorLookupTableData")
        setattr(made, f"Segmented{colour}PaletteColorLookupTableData", np.array(linear, "<u2").tobytes())
    wanted = apply_color_lut(np.arange(256, dtype=np.uint8).reshape(16, 16), made) >> 8
    assert np.array_equal(painted(made), wanted)


# --- files of other makers ---

FILES = (
    "CT_small.dcm",
    "MR_small.dcm",
    "MR_small_RLE.dcm",
    "MR_small_bigendian.dcm",
    "examples_ybr_color.dcm",
    "examples_rgb_color.dcm",
    "examples_palette.dcm",
    "693_J2KR.dcm",
    "SC_rgb_rle.dcm",
    "SC_rgb_16bit.dcm",
    "OBXXXX1A.dcm",
    "mlut_18.dcm",
    "vlut_04.dcm",
    "liver_1frame.dcm",
)


@pytest.mark.parametrize("name", FILES)
def test_files_look_as_pydicom_shows_them(name: str) -> None:
    path = Path(pydicom.data.get_testdata_file(name))
    made = pydicom.dcmread(path)
    raw = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stored = pixel_array(path, index=0, raw=made.SamplesPerPixel == 1)
        if made.PhotometricInterpretation == "PALETTE COLOR":
            wanted = apply_color_lut(stored, made)
            wanted = wanted >> 8 if wanted.dtype == np.uint16 else wanted
        elif made.SamplesPerPixel == 1:
            wanted = apply_voi_lut(apply_modality_lut(stored, made), made)
        else:
            wanted = stored >> (made.BitsStored - 8) if made.BitsStored > 8 else stored
    start = raw.index(b"\x02\x00\x00\x00UL") + 12 + made.file_meta.FileMetaInformationGroupLength
    shown = painted(raw[start:], str(made.file_meta.TransferSyntaxUID), viewport=Viewport(made.Columns, made.Rows))
    if made.SamplesPerPixel == 3 or wanted.ndim == 3:
        assert np.abs(shown.astype(int) - wanted.astype(int)).max() <= 2
    elif float(wanted.max()) > float(wanted.min()):  # grey: the same order of brightness
        low, high = np.percentile(wanted, (5, 95))
        inside = (shown > 0) & (shown < 255)
        if inside.sum() > 50:
            turn = np.corrcoef(shown[inside].astype(float), wanted[inside].astype(float))[0, 1]
            assert turn > 0.99 * (-1 if made.PhotometricInterpretation == "MONOCHROME1" else 1)
        assert low <= high


# --- geometry, overlays, words ---


def test_a_viewport_cuts_mirrors_and_scales() -> None:
    made = grey_image(np.arange(200, dtype=np.uint8).reshape(10, 20))
    plain = painted(made)
    assert np.array_equal(painted(made, viewport=Viewport(6, 4, 3, 2, 6, 4)), plain[2:6, 3:9])
    assert np.array_equal(painted(made, viewport=Viewport(6, 4, 3, 2, -6, 4)), plain[2:6, 3:9][:, ::-1])
    assert np.array_equal(painted(made, viewport=Viewport(6, 4, 3, 2, 6, -4)), plain[2:6, 3:9][::-1])
    assert painted(made, viewport=Viewport(100, 100)).shape == (50, 100)
    assert painted(made, viewport=Viewport(5, 5)).shape in ((2, 5), (3, 5))
    assert painted(made, viewport=Viewport(100, 100, enlarge=False)).shape == (10, 20)


@pytest.mark.parametrize(
    ("attribute", "value", "shape"),
    [
        ("PixelSpacing", [2, 1], (20, 20)),
        ("PixelAspectRatio", [1, 2], (10, 40)),
        ("PixelSpacing", [0, 1], (10, 20)),
        ("PixelSpacing", [1e9, 1], (10, 20)),
    ],
)
def test_pixels_that_are_not_square(attribute: str, value: list[float], shape: tuple[int, int]) -> None:
    made = grey_image(np.arange(200, dtype=np.uint8).reshape(10, 20), **{attribute: value})
    assert painted(made).shape == shape


@pytest.mark.parametrize(
    "viewport",
    [
        Viewport(0, 5),
        Viewport(-1, 5),
        Viewport(1 << 40, 5),
        Viewport(16384, 16384),
        Viewport(5, 5, 30, 0, 5, 5),
        Viewport(5, 5, float("nan")),
        Viewport(5, 5, 0, 0, float("inf"), 5),
        Viewport(5, 5, 0, 0, 0, 0),
        Viewport(5, 5, -9, 0, 5, 5),
    ],
)
def test_a_viewport_that_makes_no_sense_is_refused_before_anything_is_made(viewport: Viewport) -> None:
    with pytest.raises(LeadglassError) as caught:
        painted(grey_image(np.zeros((10, 20), np.uint8)), viewport=viewport)
    assert caught.value.code is ErrorCode.USAGE


def overlaid(**changes: Any) -> Dataset:
    made = grey_image(np.zeros((10, 20), np.uint8))
    bits = np.zeros((10, 20), np.uint8)
    bits[3, 4:9] = 1
    made.add_new(0x60000010, "US", 10)
    made.add_new(0x60000011, "US", 20)
    made.add_new(0x60000050, "SS", [1, 1])
    made.add_new(0x60000100, "US", 1)
    made.add_new(0x60000102, "US", 0)
    packed = np.packbits(bits.reshape(-1), bitorder="little").tobytes()
    made.add_new(0x60003000, "OW", packed + b"\0" * (len(packed) % 2))
    return changed(made, changes)


def test_overlays_are_drawn_where_asked_only() -> None:
    made = overlaid()
    assert not painted(made).any()
    shown = painted(made, annotation=frozenset({Annotation.OVERLAYS}))
    assert set(zip(*np.nonzero(shown), strict=True)) == {(3, column) for column in range(4, 9)}
    made[0x60000050].value = [3, -2]  # two down, three to the left
    shown = painted(made, annotation=frozenset({Annotation.OVERLAYS}))
    assert set(zip(*np.nonzero(shown), strict=True)) == {(5, column) for column in range(1, 6)}
    made[0x60000050].value = [500, 500]
    assert not painted(made, annotation=frozenset({Annotation.OVERLAYS})).any()


def test_an_overlay_that_lies_is_left_out() -> None:
    made = overlaid()
    made[0x60000010].value = 65535
    assert not painted(made, annotation=frozenset({Annotation.OVERLAYS})).any()


def test_an_overlay_in_the_pixels_themselves() -> None:
    pixels = np.zeros((10, 20), np.uint16)
    pixels[2, 5] = 0x8000
    made = grey_image(pixels, BitsStored=12, HighBit=11)
    for tag, value in ((0x60000010, 10), (0x60000011, 20), (0x60000100, 16), (0x60000102, 15)):
        made.add_new(tag, "US", value)
    shown = painted(made, annotation=frozenset({Annotation.OVERLAYS}))
    assert list(zip(*np.nonzero(shown), strict=True)) == [(2, 5)]


def test_words_stand_in_their_corners() -> None:
    made = grey_image(np.zeros((200, 300), np.uint8), PatientName="Notreal^Figment", PatientID="X1", Modality="CT")
    above = painted(made, annotation=frozenset({Annotation.PATIENT}))
    below = painted(made, annotation=frozenset({Annotation.TECHNIQUE}))
    assert above[:100].any()
    assert not above[100:].any()
    assert below[100:].any()
    assert not below[:100].any()


def test_words_of_a_patient_cannot_make_the_picture_fail() -> None:
    hostile = ("A" * 60_000, "\u202egnp.exe", "<b>^{{7*7}}", "\x1b[31m")
    for name in hostile:
        made = grey_image(np.zeros((64, 64), np.uint8))
        made.SpecificCharacterSet = "ISO_IR 192"
        made.add_new(0x00100010, "UT", name)
        assert painted(made, IMPLICIT_VR_LE, annotation=frozenset({Annotation.PATIENT})).shape[:2] == (64, 64)


# --- several frames, other codings ---


def test_a_cine_is_an_animation_in_its_own_time() -> None:
    frames = np.stack([np.full((16, 16), value, np.uint8) for value in (10, 90, 200)])
    made = grey_image(frames, FrameTime="40")
    order, pieces = order_of(encoded(made), EXPLICIT_VR_LE, [0, 1, 2], RenderRequest(media_type=GIF))
    painter = Painter(order)
    assert [painter.add(piece) for piece in pieces] == [False, False, True]
    with Image.open(BytesIO(painter.picture())) as image:
        assert (image.n_frames, image.info["duration"], image.info["loop"]) == (3, 40, 0)
        values = []
        for number in range(3):
            image.seek(number)
            values.append(int(np.array(image.convert("L"))[5, 5]))
    assert values == [10, 90, 200]


def test_a_better_jpeg_is_longer() -> None:
    made = colour_image(COLOURS.repeat(8, 0).repeat(8, 1))
    sizes = []
    for quality in (1, 50, 100):
        order, pieces = order_of(encoded(made), EXPLICIT_VR_LE, [0], RenderRequest(media_type=JPEG, quality=quality))
        painter = Painter(order)
        painter.add(pieces[0])
        sizes.append(len(painter.picture()))
        assert opened(painter.picture()).shape == (96, 128, 3)
    assert sizes == sorted(set(sizes))
