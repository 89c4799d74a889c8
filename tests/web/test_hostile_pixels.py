"""Pixels that make a decoder hang, crash or lie, asked for over the web (adversarial case D6), and compressed frames
that lie, asked for as frames (D3, D5): one request fails, with a sentence, and all others are answered."""

from __future__ import annotations

import asyncio
import functools
import struct
from collections.abc import Iterator
from pathlib import Path

import archives
import httpx
import imagecodecs
import multiparts
import numpy as np
import objects
import pytest
import webbed
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from leadglass.app import archive as wiring
from leadglass.app.archive import Archive
from leadglass.dicom.uids import JPEG_BASELINE, JPEG_LS_LOSSLESS, RLE_LOSSLESS
from leadglass.sandbox.pool import SandboxPool
from leadglass.sandbox.process import Launch

SERIES = f"/dicom-web/studies/{objects.study_uid(1)}/series/{objects.study_uid(1)}.1000"
OCTETS = 'multipart/related; type="application/octet-stream"'
PIXELS = np.arange(64, dtype=np.uint8).reshape(8, 8)
GOOD = struct.pack("<16L", 1, 64, *[0] * 14) + b"\xc1\x07"  # RLE: 64 times 7
FRAME_SECONDS = 10.0  # for a machine that has other things to do

FAULTY = """
import ctypes, os
from leadglass.sandbox import protocol, worker
from leadglass.sandbox.codecs import decode_frame
from leadglass.sandbox.painter import Painter

def fault(frame):
    word = bytes(frame).rstrip(b"\\0")
    if word == b"hang":
        while True:
            pass
    if word == b"crash":
        ctypes.string_at(0)
    if word == b"exit":
        os._exit(0)
    if word == b"noise":
        os.write(1, b"\\xff" * 4096)
    if word == b"huge":
        os.write(1, protocol.message(protocol.PIXELS, 1 << 62))

def decode(description, frame):
    fault(frame)
    return decode_frame(description, frame)

class Faulty(Painter):
    def add(self, frame):
        fault(frame)
        return super().add(frame)

def main():
    worker.main(decode=decode, painter=Faulty)
"""


@pytest.fixture(scope="module")
def launch(tmp_path_factory: pytest.TempPathFactory) -> Launch:
    folder = tmp_path_factory.mktemp("faulty")
    (folder / "faulty_by_web.py").write_text(FAULTY)
    return Launch("faulty_by_web", (str(folder),))


@pytest.fixture
def faulty(tmp_path: Path, launch: Launch, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    """An archive whose decoders do what a frame's bytes say."""
    pool = functools.partial(SandboxPool, frame_seconds=FRAME_SECONDS, launch=launch)
    monkeypatch.setattr(wiring, "SandboxPool", pool)
    with archives.opened(archives.make(tmp_path, [])) as opened:
        yield opened


def image(number: int, *frames: bytes, **changes: object) -> Dataset:
    fields = {
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": 8,
        "Columns": 8,
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
        "NumberOfFrames": len(frames),
    }
    made = objects.data_set(1, number, **{**fields, **changes})
    made.PixelData = encapsulate(list(frames))
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True
    return made


async def put(archive: Archive, made: Dataset, syntax: str) -> None:
    await objects.store(archive, objects.encoded(made), made.SOPInstanceUID, syntax=syntax)


def path_of(number: int, frame: int, what: str = "") -> str:
    return f"{SERIES}/instances/{objects.uid(1, number)}/frames/{frame}{what}"


async def frame(http: httpx.AsyncClient, number: int, which: int) -> httpx.Response:
    return await http.get(path_of(number, which), headers={"accept": OCTETS}, timeout=60)


async def picture(http: httpx.AsyncClient, number: int, which: int) -> httpx.Response:
    return await http.get(path_of(number, which, "/rendered"), headers={"accept": "image/png"}, timeout=60)


@pytest.mark.parametrize("word", ["hang", "crash", "exit", "noise", "huge"])
async def test_d6_a_decoder_that_fails_costs_one_request_of_the_door(faulty: Archive, word: str) -> None:
    await put(faulty, image(1, GOOD, word.encode().ljust(16, b"\0"), GOOD), RLE_LOSSLESS)
    await put(faulty, image(2, GOOD), RLE_LOSSLESS)
    async with webbed.client(faulty) as http:
        asked = await asyncio.gather(frame(http, 1, 2), picture(http, 1, 2), frame(http, 2, 1), picture(http, 2, 1))
        assert [answer.status_code for answer in asked] == [406, 406, 200, 200]
        for answer in asked[:2]:
            assert answer.headers["content-type"] == "application/problem+json"
            assert word not in answer.text
        for which in (1, 3):
            assert [content for _, content in multiparts.parts(await frame(http, 1, which))] == [b"\7" * 64]
            assert (await picture(http, 1, which)).status_code == 200


LYING = {
    "D3 no fragment for the second frame": (image(1, GOOD, NumberOfFrames=2), RLE_LOSSLESS, 2),
    "D3 a fragment of nothing": (image(1, b"\0\0", GOOD), RLE_LOSSLESS, 1),
    "D3 a number of frames beyond reason": (image(1, GOOD, NumberOfFrames=2**31 - 1), RLE_LOSSLESS, 2**31 - 1),
    "D5 other dimensions": (image(1, imagecodecs.jpegls_encode(PIXELS), Rows=9), JPEG_LS_LOSSLESS, 1),
    "D5 dimensions that grow": (
        image(1, imagecodecs.jpegls_encode(np.zeros((4000, 4000), np.uint8))),
        JPEG_LS_LOSSLESS,
        1,
    ),
    "D5 another syntax": (image(1, imagecodecs.jpegls_encode(PIXELS)), JPEG_BASELINE, 1),
    "D5 an RLE header that lies": (image(1, b"\xff" * 64), RLE_LOSSLESS, 1),
}


@pytest.mark.parametrize("name", LYING)
async def test_d3_d5_frames_that_lie_are_refused_alone(archive: Archive, name: str) -> None:
    made, syntax, which = LYING[name]
    await put(archive, made, syntax)
    await put(archive, image(2, GOOD), RLE_LOSSLESS)
    async with webbed.client(archive) as http:
        answer = await frame(http, 1, which)
        assert answer.status_code in (404, 406), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        good = await frame(http, 2, 1)
    assert [content for _, content in multiparts.parts(good)] == [b"\7" * 64]
