"""Frames over WADO-RS: the same pixels as pydicom's own decoders give, in the type that was asked for."""

from __future__ import annotations

from typing import Any

import httpx
import multiparts
import objects
import pytest
import webbed
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from leadglass.app.archive import Archive
from leadglass.core.errors import LeadglassError
from leadglass.core.reach import Reach
from leadglass.dicom.uids import EXPLICIT_VR_BE, EXPLICIT_VR_LE, IMPLICIT_VR_LE, RLE_LOSSLESS
from leadglass.web.frames import frame_list
from leadglass.web.statuses import STATUS

INSTANCE = f"/dicom-web/studies/{objects.study_uid(1)}/series/{objects.study_uid(1)}.1000/instances/{objects.uid(1, 1)}"
OCTETS = 'multipart/related; type="application/octet-stream"'


def image(frames: int = 3, rows: int = 4, columns: int = 5, bits: int = 16, **changes: Any) -> Dataset:
    """A small image whose pixels are all different."""
    made = objects.data_set(
        Rows=rows,
        Columns=columns,
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        BitsAllocated=bits,
        BitsStored=bits,
        HighBit=bits - 1,
        PixelRepresentation=0,
        NumberOfFrames=frames,
        **changes,
    )
    size = -(-frames * rows * columns * bits // 8)
    made.PixelData = bytes((7 * place + place // 251) % 256 for place in range(size + size % 2))
    return made


async def put(archive: Archive, made: Dataset, syntax: str = EXPLICIT_VR_LE) -> bytes:
    await objects.store(archive, objects.encoded(made, syntax), objects.uid(1, 1), syntax=syntax)
    return bytes(made.PixelData)


async def get(http: httpx.AsyncClient, frames: str, accept: str = OCTETS, **params: str) -> httpx.Response:
    return await http.get(f"{INSTANCE}/frames/{frames}", headers={"accept": accept}, params=params)


@pytest.mark.parametrize("syntax", [EXPLICIT_VR_LE, IMPLICIT_VR_LE])
async def test_frames_are_cut_in_the_order_asked_for(archive: Archive, syntax: str) -> None:
    pixels = await put(archive, image(), syntax)
    async with webbed.client(archive) as http:
        answer = await get(http, "3,1")
        one = await get(http, "2", "application/octet-stream")
    kind = f"application/octet-stream; transfer-syntax={EXPLICIT_VR_LE}"
    assert multiparts.parts(answer) == [(kind, pixels[80:120]), (kind, pixels[:40])]
    assert (one.headers["content-type"], one.content) == (kind, pixels[40:80])
    assert one.headers["content-length"] == "40"


async def test_a_large_frame_comes_whole_in_one_part(archive: Archive) -> None:
    pixels = await put(archive, image(2, 1200, 1300))
    async with webbed.client(archive) as http:
        for frames in ("2", "2,1"):
            parts = multiparts.parts(await get(http, frames))
            assert parts[0][1] == pixels[3120000:6240000]
            assert len(parts) == len(frames.split(","))


async def test_frames_of_single_bits_each_begin_with_a_byte(archive: Archive) -> None:
    pixels = await put(archive, image(3, 3, 5, bits=1))
    bits = [pixels[place // 8] >> place % 8 & 1 for place in range(45)]
    async with webbed.client(archive) as http:
        found = [content for _, content in multiparts.parts(await get(http, "1,2,3"))]
    for number, content in enumerate(found):
        assert len(content) == 2
        assert [content[place // 8] >> place % 8 & 1 for place in range(15)] == bits[15 * number : 15 * number + 15]
        assert content[1] < 128


@pytest.mark.parametrize(("bits", "vr"), [(8, "OB"), (8, "OW"), (16, "OW"), (32, "OW")])
async def test_big_endian_pixels_are_turned_round(archive: Archive, bits: int, vr: str) -> None:
    made = image(3, 3, 3, bits=bits)
    little = bytes(made.PixelData)
    width = 2 if bits == 8 and vr == "OW" else bits // 8
    turned = b"".join(little[at : at + width][::-1] for at in range(0, len(little), width))
    made.PixelData, made["PixelData"].VR = turned, vr
    raw = objects.encoded(made, EXPLICIT_VR_BE)
    assert turned in raw
    await objects.store(archive, raw, objects.uid(1, 1), syntax=EXPLICIT_VR_BE)
    size = 9 * bits // 8
    async with webbed.client(archive) as http:
        found = [content for _, content in multiparts.parts(await get(http, "2,3"))]
    assert found == [little[size : 2 * size], little[2 * size : 3 * size]]


@pytest.fixture
async def compressed(archive: Archive) -> list[bytes]:
    """Three RLE frames; the pixels of each."""
    made = image()
    pixels = bytes(made.PixelData)
    frames = [pixels[40 * number : 40 * number + 40] for number in range(3)]
    made.PixelData = encapsulate([_rle(frame) for frame in frames])
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True
    await objects.store(archive, objects.encoded(made), objects.uid(1, 1), syntax=RLE_LOSSLESS)
    return frames


def _rle(frame: bytes) -> bytes:
    segments = [bytes([len(frame[at::2]) - 1]) + frame[at::2] for at in (1, 0)]
    segments = [segment + b"\0" * (len(segment) % 2) for segment in segments]
    offsets = [2, 64, 64 + len(segments[0]), *[0] * 13]
    return b"".join(offset.to_bytes(4, "little") for offset in offsets) + b"".join(segments)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ('multipart/related; type="image/dicom-rle"', "image/dicom-rle"),
        ('multipart/related; type="image/x-dicom-rle"', "image/x-dicom-rle"),
        ("multipart/related; type=application/octet-stream; transfer-syntax=*", "application/octet-stream"),
        (
            f"multipart/related; type=application/octet-stream; transfer-syntax={RLE_LOSSLESS}",
            "application/octet-stream",
        ),
        ("multipart/related; transfer-syntax=*", "image/dicom-rle"),
        ("image/jpeg, multipart/related; type=image/*", "image/dicom-rle"),
        ("*/*; transfer-syntax=*", "image/dicom-rle"),
    ],
)
async def test_compressed_frames_leave_as_stored(
    archive: Archive, compressed: list[bytes], accept: str, kind: str
) -> None:
    async with webbed.client(archive) as http:
        answer = await get(http, "1,3", accept)
        parts = multiparts.parts(answer)
    assert [part[0] for part in parts] == [f"{kind}; transfer-syntax={RLE_LOSSLESS}"] * 2
    assert [part[1].rstrip(b"\0") for part in parts] == [_rle(compressed[number]).rstrip(b"\0") for number in (0, 2)]
    assert answer.headers["content-type"].startswith(f'multipart/related; type="{kind}"')


@pytest.mark.parametrize("accept", [OCTETS, "*/*", "", f"{OCTETS}; transfer-syntax={EXPLICIT_VR_LE}"])
async def test_compressed_frames_are_decoded_by_default(archive: Archive, compressed: list[bytes], accept: str) -> None:
    async with webbed.client(archive) as http:
        parts = multiparts.parts(await get(http, "3,2", accept))
        alone = await get(http, "2", "application/octet-stream")
    assert parts == [(f"application/octet-stream; transfer-syntax={EXPLICIT_VR_LE}", compressed[n]) for n in (2, 1)]
    assert alone.content == compressed[1]


@pytest.mark.parametrize("accept", ["image/jpeg", 'multipart/related; type="image/jp2"', "text/html", "video/*"])
async def test_other_types_are_not_acceptable(archive: Archive, compressed: list[bytes], accept: str) -> None:
    async with webbed.client(archive) as http:
        answer = await get(http, "1", accept)
    assert answer.status_code == 406
    assert "image/dicom-rle" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("frames", "status"),
    [
        ("0", 400),
        ("-1", 400),
        (str(2**63), 400),
        ("9999999999", 404),
        ("1,1", 400),
        (",".join(map(str, range(1, 5000))), 400),
        ("", 404),
        ("1,", 400),
        ("1,,2", 400),
        ("1.5", 400),
        ("\u0661", 400),
        ("4", 404),
        ("1,4", 404),
        ("1e3", 400),
    ],
)
async def test_e5_frame_lists_that_are_none(archive: Archive, frames: str, status: int) -> None:
    await put(archive, image())
    async with webbed.client(archive) as http:
        answer = await get(http, frames)
    assert answer.status_code == status
    assert len(answer.content) < 500


def test_e5_a_list_of_a_million_frames_is_not_even_looked_through() -> None:
    for item in ("1", "999999999999"):
        with pytest.raises(LeadglassError) as refused:
            frame_list(",".join([item] * 1_000_000))
        assert STATUS[refused.value.code] == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"Rows": 65535, "Columns": 65535},
        {"Rows": 0},
        {"NumberOfFrames": 0},
        {"NumberOfFrames": 2**31 - 1},
        {"BitsAllocated": 65535},
        {"SamplesPerPixel": 0},
        {"SamplesPerPixel": 65535, "BitsAllocated": 65535, "Rows": 65535, "Columns": 65535},
    ],
)
async def test_d1_d2_a_header_that_claims_too_much_costs_one_refusal(archive: Archive, changes: dict[str, int]) -> None:
    made = image()
    for keyword, value in changes.items():
        setattr(made, keyword, value)
    await put(archive, made)
    async with webbed.client(archive) as http:
        assert (await get(http, "1")).status_code in (404, 406)
        assert (await get(http, "2,1")).status_code in (404, 406)


async def test_an_object_without_pixels_has_no_frames(archive: Archive) -> None:
    made = objects.data_set(PixelData=None)
    await objects.store(archive, objects.encoded(made), objects.uid(1, 1))
    async with webbed.client(archive) as http:
        assert (await get(http, "1")).status_code == 404


async def test_only_a_url_with_the_version_may_be_kept_for_good(archive: Archive) -> None:
    await put(archive, image())
    (stored,) = await archive.retrieve.select(webbed.program("tester"), objects.image(1, 1))
    version = stored.digest.hex()[:16]
    async with webbed.client(archive) as http:
        plain, kept = await get(http, "1"), await get(http, "1", v=version)
        other = await get(http, "1", v="0" * 16)
        same = await http.get(
            f"{INSTANCE}/frames/1", headers={"accept": OCTETS, "if-none-match": plain.headers["etag"]}
        )
    assert plain.headers["cache-control"] == "no-cache"
    assert kept.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert other.status_code == 404
    assert (same.status_code, same.content) == (304, b"")


async def test_rights_are_asked_before_what_is_kept_open(archive: Archive) -> None:
    await put(archive, image())
    narrow = webbed.program("narrow", reach=Reach(studies=frozenset({objects.study_uid(2)})))
    async with webbed.client(archive, webbed.program("tester"), narrow) as http:
        assert (await get(http, "1")).status_code == 200
        http.headers["authorization"] = "Bearer narrow"
        foreign = await get(http, "1")
        absent = await http.get(INSTANCE + "9/frames/1")
    assert foreign.status_code == absent.status_code == 404
    assert foreign.content == absent.content


async def test_a_frame_is_journalled_before_it_leaves(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    await put(archive, image())

    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError

    monkeypatch.setattr(archive.journal, "record", refuse)
    async with webbed.client(archive) as http:
        assert (await get(http, "1")).status_code == 500


async def test_the_second_frame_opens_nothing_again(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = await put(archive, image())
    async with webbed.client(archive) as http:
        await get(http, "1")
        monkeypatch.setattr(archive.vault, "open", None)
        monkeypatch.setattr("leadglass.services.open_records.read_layout", None)
        answer = await get(http, "2", "application/octet-stream")
    assert answer.content == pixels[40:80]
