"""Quotas at the door: a problem document with Retry-After, and places that come free however an answer ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import objects
import pytest
import webbed
from starlette.requests import Request
from starlette.types import Message
from stowing import part10, stow

from leadglass.app.archive import Archive
from leadglass.app.web_wiring import doorway_of
from leadglass.services.quotas import QuotaLimits, Quotas
from leadglass.web.app import WebDoor
from leadglass.web.body import BodyLimits, body_pieces
from leadglass.web.guard import ListenerRules
from leadglass.web.routes import ROUTES

STUDY = f"/dicom-web/studies/{objects.study_uid(1)}"
WORD = {"authorization": "Bearer tester"}


def door_of(archive: Archive, limits: QuotaLimits) -> WebDoor:
    known = webbed.Known([webbed.program("tester"), webbed.program("other")])
    doorway = replace(doorway_of(archive), programs=known, quotas=Quotas(limits))
    return WebDoor(doorway, ListenerRules(tls=False, names=frozenset()), lambda: True)


def client(door: WebDoor) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://localhost", headers=WORD)


async def test_too_many_requests_are_refused_with_a_time_to_come_back(archive: Archive) -> None:
    async with client(door_of(archive, QuotaLimits(requests=1))) as http:
        answers = [await http.get("/dicom-web/studies") for _ in range(14)]
        other = await http.get("/dicom-web/studies", headers={"authorization": "Bearer other"})
        health = await http.get("/healthz")
    last = answers[-1]
    assert (answers[0].status_code, last.status_code) == (200, 429)
    assert last.headers["content-type"] == "application/problem+json"
    assert int(last.headers["retry-after"]) >= 1
    assert last.json()["status"] == 429
    assert (other.status_code, health.status_code) == (200, 200)


async def test_strangers_use_up_nobody_s_quota(archive: Archive) -> None:
    async with client(door_of(archive, QuotaLimits(requests=1))) as http:
        for _ in range(50):
            assert (await http.get("/dicom-web/studies", headers={"authorization": "Bearer x"})).status_code == 401
        assert (await http.get("/dicom-web/studies")).status_code == 200


async def test_uploads_count_too_and_are_slowed_down_not_cut_off(archive: Archive) -> None:
    waited: list[float] = []

    async def pause(seconds: float) -> None:
        waited.append(seconds)

    data = objects.encoded(objects.data_set(2, size=100_000))
    known = webbed.Known([webbed.program("tester")])
    quotas = Quotas(QuotaLimits(bytes_minute=60_000), pause=pause)
    doorway = replace(doorway_of(archive), programs=known, quotas=quotas)
    door = WebDoor(doorway, ListenerRules(tls=False, names=frozenset()), lambda: True)
    async with client(door) as http:
        stored = await stow(http, part10(data, objects.CT, objects.uid(2, 1)))
        assert stored.status_code == 200
        assert waited and waited[0] > 10
        refused = await http.get("/dicom-web/studies")
        assert (refused.status_code, int(refused.headers["retry-after"]) > 10) == (429, True)


async def test_who_is_slowed_down_is_not_called_slow() -> None:
    moment, pieces = [0.0], [b"a" * 10] * 5

    async def receive() -> Message:
        moment[0] += 1
        return {"type": "http.request", "body": pieces.pop(), "more_body": bool(pieces)}

    async def counted(size: int) -> None:
        moment[0] += 10_000

    request = Request({"type": "http", "headers": []}, receive)
    limits = BodyLimits(idle=60, grace=20, rate=1000)
    found = [piece async for piece in body_pieces(request, limits, counted=counted, clock=lambda: moment[0])]
    assert b"".join(found) == b"a" * 50


def test_whole_studies_and_series_are_exports() -> None:
    exports = {route.path for route in ROUTES if route.export}
    whole = ("/dicom-web/studies/{study}", "/dicom-web/studies/{study}/series/{series}")
    assert exports == {*whole, *(f"{path}/rendered" for path in whole)}


class Reader:
    """Asks for a study, takes its head, and then waits, goes away, or breaks the connection."""

    def __init__(self, door: WebDoor) -> None:
        self.begun, self.go_on, self.gone = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.status = 0
        self._task = asyncio.ensure_future(door(self._scope(), self._receive, self._send))

    def _scope(self) -> dict[str, object]:
        headers = [(b"host", b"localhost"), (b"authorization", b"Bearer tester")]
        return {
            "type": "http", "method": "GET", "path": STUDY, "raw_path": STUDY.encode(), "query_string": b"",
            "headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "scheme": "http",
        }  # fmt: skip

    async def _receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self.status = message.get("status", self.status)
        self.begun.set()
        if message["type"] == "http.response.body":
            await self.go_on.wait()
            if self.gone.is_set():
                raise OSError("the connection is broken")

    async def end(self, how: str) -> None:
        if how == "cancelled":
            self._task.cancel()
        if how == "broken":
            self.gone.set()
        self.go_on.set()
        await asyncio.gather(self._task, return_exceptions=True)


@pytest.fixture
async def stored(archive: Archive) -> AsyncIterator[Archive]:
    await objects.store_one(archive, 1)
    yield archive


@pytest.mark.parametrize("how", ["read to its end", "broken", "cancelled"])
async def test_an_export_s_place_comes_free_however_it_ends(stored: Archive, how: str) -> None:
    door = door_of(stored, QuotaLimits(exports=1))
    reader = Reader(door)
    await reader.begun.wait()
    assert reader.status == 200
    async with client(door) as http:
        assert (await http.get(STUDY)).status_code == 429
        assert (await http.get(STUDY + "/metadata")).status_code == 200
        await reader.end(how)
        assert (await http.get(STUDY)).status_code == 200
        refused = await http.get(STUDY, headers={"accept": "text/html"})
        assert refused.status_code == 406
        assert (await http.get(STUDY)).status_code == 200
    assert door.traffic.open == 0
