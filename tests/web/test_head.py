"""HEAD tells what GET would, and makes nothing of what it does not send."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import objects
import pytest
import webbed
from starlette.types import Message

from leadglass.app.archive import Archive
from leadglass.web.bodiless import Bodiless
from leadglass.web.streams import Streamed, joined
from tests.web.test_every_route import IMAGE
from tests.web.test_streams import Endless

STUDY = f"/dicom-web/studies/{objects.study_uid(1)}"
ONE = f"{STUDY}/series/{objects.study_uid(1)}.1000/instances/{objects.uid(1, 1)}"
RELATED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
LARGE = 4_000_000  # bytes: each is opened by itself


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/dicom-web/studies", {}),
        ("/dicom-web/studies", {"accept": "text/html"}),
        (f"{STUDY}/metadata", {"accept-encoding": "gzip"}),
        (STUDY, {"accept": RELATED}),
        (STUDY, {"accept": "application/zip"}),
        (f"{STUDY}.9", {}),
        (ONE, {"accept": "application/dicom"}),
        (f"{ONE}/frames/1", {"accept": "application/octet-stream"}),
        (f"{ONE}/rendered", {"accept": "image/png"}),
        ("/dicom-web/nothing", {}),
        ("/healthz", {}),
        ("/readyz", {"host": "evil.example"}),
    ],
)
async def test_head_is_get_s_head(archive: Archive, path: str, headers: dict[str, str]) -> None:
    await objects.store_one(archive, **IMAGE)
    async with webbed.client(archive) as http:
        whole = await http.get(path, headers=headers)
        head = await http.head(path, headers=headers)
        known = await http.head(path, headers={**headers, "if-none-match": whole.headers.get("etag", "")})
    assert (head.status_code, head.headers) == (whole.status_code, whole.headers)
    assert whole.content
    assert head.content == b""
    assert known.status_code == (304 if "etag" in whole.headers else whole.status_code)


async def test_a_range_is_for_get_alone(archive: Archive) -> None:
    """RFC 9110 14.2."""
    await objects.store_one(archive, **IMAGE)
    async with webbed.client(archive) as http:
        (found,) = (await http.get(f"{ONE}/metadata")).json()
        url = found["7FE00010"]["BulkDataURI"]
        part = await http.get(url, headers={"range": "bytes=0-9"})
        head = await http.head(url, headers={"range": "bytes=0-9"})
    assert (part.status_code, len(part.content)) == (206, 10)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, "2000", b"")


async def test_a_study_is_not_decrypted_for_its_head(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1, 7):
        await objects.store_one(archive, 1, number, size=LARGE)
    opened = []
    really = archive.vault.open

    def noting(*args: Any, **more: Any) -> Any:
        opened.append(args)
        return really(*args, **more)

    monkeypatch.setattr(archive.vault, "open", noting)
    async with webbed.client(archive) as http:
        assert (await http.head(STUDY, headers={"accept": RELATED})).status_code == 200
        assert len(opened) <= 2  # the first, so that what is wrong with it is told, and the one read ahead
        assert len((await http.get(STUDY, headers={"accept": RELATED})).content) > 6 * LARGE
    assert len(opened) >= 7


async def test_what_would_be_streamed_is_ended() -> None:
    source = Endless()
    pieces = joined(source.pieces())
    await anext(pieces)
    valid = SimpleNamespace(
        doorway=SimpleNamespace(programs=SimpleNamespace(still_valid=lambda _: True)), principal=None
    )
    answer = Bodiless(Streamed(valid, pieces, 200, {"x": "y"}, "text/plain"))  # type: ignore[arg-type]
    given, told = source.given, list[Message]()

    async def send(message: Message) -> None:
        told.append(message)

    await answer({"type": "http"}, asyncio.Event().wait, send)  # type: ignore[arg-type]
    assert (source.closed, source.given) == (True, given)
    assert [message.get("body", b"") for message in told] == [b"", b""]
    assert (b"x", b"y") in told[0]["headers"]


async def test_a_head_over_a_quota_s_place_gives_it_back(archive: Archive) -> None:
    """More heads of a study than exports that may be under way."""
    await objects.store_one(archive)
    async with webbed.client(archive) as http:
        for _ in range(40):
            assert (await http.head(STUDY, headers={"accept": RELATED})).status_code == 200
