"""An instance of gigabytes goes in by STOW-RS and comes out over WADO-RS, whole and in ranges, and no process of the
archive ever holds much of it.

The ordinary run takes a smaller one, which a process that gathered it is still caught with; CI and `make giants` take
3.9 GB.
"""

from __future__ import annotations

import os
import struct
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

import archives
import httpx
import pytest
from blake3 import blake3
from giants import SIDE, Native, digest_of
from objects import study_uid
from resident import MIB, Resident, watched
from stowing import BOUNDARY, STUDIES, related_header, stored
from web_tls import token

from leadglass.dicom.part10 import build_file_header

FULL = os.environ.get("LEADGLASS_GIANTS") == "full" or os.environ.get("CI") == "true"
AT_MOST = 300 * MIB  # of resident memory, for each process
FRAME = SIDE * SIDE * 2  # bytes
GIANT = Native(1, 1_860 if FULL else 200)  # 3.9 GB, or 400 MiB
SIZE = GIANT.frames * FRAME
INSTANCE = f"{STUDIES}/{study_uid(9)}/series/{study_uid(9)}.1000/instances/{GIANT.sop_instance}"
ANY = "application/dicom; transfer-syntax=*"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600 if FULL else 300)]


class Ground(NamedTuple):
    url: str
    known: dict[str, str]
    vault: Path
    resident: Resident

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, headers=self.known, timeout=600)


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """An archive that is served, and watched from before the first byte."""
    port = archives.free_port()
    home = archives.make(tmp_path_factory.mktemp("giants"), [], web_port=port)
    known = token(home)
    with archives.served(home) as server, watched(server.process.pid) as resident:
        yield Ground(f"http://127.0.0.1:{port}", known, home.vault, resident)


async def body() -> AsyncIterator[bytes]:
    yield f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    yield build_file_header(GIANT.sop_class, GIANT.sop_instance, GIANT.syntax)
    for piece in GIANT.pieces():
        yield piece
    yield f"\r\n--{BOUNDARY}--\r\n".encode()


@pytest.mark.parametrize("again", [False, True])
async def test_it_is_stored_once(ground: Ground, again: bool) -> None:
    async with ground.client() as http:
        answer = await http.post(STUDIES, content=body(), headers=related_header())
    assert answer.status_code == 200, answer.text
    assert stored(answer) == [GIANT.sop_instance]
    segments = [path for path in (ground.vault / "segments").rglob("*") if path.is_file()]
    assert len([path for path in segments if path.stat().st_size > 200 * MIB]) == 1


async def test_it_comes_back_as_it_was(ground: Ground) -> None:
    digest, head = blake3(), build_file_header(GIANT.sop_class, GIANT.sop_instance, GIANT.syntax)
    async with ground.client() as http, http.stream("GET", INSTANCE, headers={"accept": ANY}) as answer:
        assert answer.status_code == 200
        start = bytearray()
        async for piece in answer.aiter_bytes():
            if len(start) < len(head):
                start += piece
                digest.update(start[len(head) :])
            else:
                digest.update(piece)
    assert start.startswith(head)
    assert digest.digest() == digest_of(GIANT.pieces())


async def test_its_pixels_come_in_ranges(ground: Ground) -> None:
    last = GIANT.frames - 1
    async with ground.client() as http:
        (described,) = (await http.get(f"{INSTANCE}/metadata")).json()
        url = described["7FE00010"]["BulkDataURI"]
        for number in (0, 1, GIANT.frames // 2, last):
            found = await http.get(url, headers={"range": f"bytes={number * FRAME}-{number * FRAME + 7}"})
            assert (found.status_code, found.content) == (206, struct.pack("<Q", number))
            assert found.headers["content-range"] == f"bytes {number * FRAME}-{number * FRAME + 7}/{SIZE}"
        tail = await http.get(url, headers={"range": f"bytes=-{FRAME}"})
        assert (tail.status_code, len(tail.content), tail.content[:8]) == (206, FRAME, struct.pack("<Q", last))
        beyond = await http.get(url, headers={"range": f"bytes={SIZE}-"})
        assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{SIZE}")


async def test_its_bulk_data_come_whole_from_any_place_on(ground: Ground) -> None:
    """More than 128 MiB in one answer."""
    pieces = GIANT.pieces()
    next(pieces)
    next(pieces)  # the header of Pixel Data
    begin = GIANT.frames // 4
    wanted, digest, length = blake3(), blake3(), 0
    for number, frame in enumerate(pieces):
        if number >= begin:
            wanted.update(frame)
    async with ground.client() as http:
        (described,) = (await http.get(f"{INSTANCE}/metadata")).json()
        url, asked = described["7FE00010"]["BulkDataURI"], {"range": f"bytes={begin * FRAME}-"}
        async with http.stream("GET", url, headers=asked) as answer:
            assert answer.status_code == 206
            async for piece in answer.aiter_bytes():
                digest.update(piece)
                length += len(piece)
    assert length == SIZE - begin * FRAME > 128 * MIB
    assert digest.digest() == wanted.digest()


@pytest.mark.parametrize("kind", ["serve", "dicom_process", "web_process"])
def test_no_process_ever_held_much(ground: Ground, kind: str) -> None:
    marks = ground.resident.of(kind)
    print(f"{kind}: at most {max(marks) // MIB} MiB resident, of {len(marks)} process(es)")
    assert 0 < max(marks) < AT_MOST
    assert not ground.resident.of("other")
