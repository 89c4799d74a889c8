"""Answers that are made while they are sent end when their reader is gone, too slow, or may read no more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.types import Message

from leadglass.web import streams
from leadglass.web.streams import CutOffError, Streamed


class Endless:
    """Pieces without end; notes that it was closed."""

    def __init__(self) -> None:
        self.given = 0
        self.closed = False

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            while True:
                self.given += 1
                await asyncio.sleep(0)
                yield b"x" * 1000
        finally:
            self.closed = True


class Client:
    """Takes `room` pieces; then it is gone, or takes no more."""

    def __init__(self, room: int, *, leaves: bool) -> None:
        self.taken: list[Message] = []
        self._room = room
        self._leaves = leaves
        self._full = asyncio.Event()

    async def receive(self) -> Message:
        await (self._full if self._leaves else asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.taken.append(message)
        if len(self.taken) > self._room:
            self._full.set()
            if not self._leaves:
                await asyncio.Event().wait()


def call(valid: bool = True) -> Any:
    return SimpleNamespace(still_valid=lambda: valid)


async def test_nothing_more_is_made_for_a_reader_that_is_gone() -> None:
    source, client = Endless(), Client(5, leaves=True)
    answer = Streamed(call(), source.pieces(), 200, {}, "text/plain")
    async with asyncio.timeout(10):
        await answer({"type": "http"}, client.receive, client.send)
    assert source.closed
    assert source.given < 20


async def test_e4_a_reader_that_takes_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """E4."""
    monkeypatch.setattr(streams, "SEND_SECONDS", 0.05)
    source, client = Endless(), Client(5, leaves=False)
    answer = Streamed(call(), source.pieces(), 200, {}, "text/plain")
    with pytest.raises(CutOffError):
        async with asyncio.timeout(10):
            await answer({"type": "http"}, client.receive, client.send)
    assert source.closed


async def test_a_reader_that_takes_on_is_not_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "SEND_SECONDS", 0.2)
    monkeypatch.setattr(streams, "ASK_SECONDS", 0.01)

    async def slow() -> AsyncIterator[bytes]:
        for _ in range(10):
            await asyncio.sleep(0.05)
            yield b"x"

    client = Client(100, leaves=False)
    async with asyncio.timeout(10):
        await Streamed(call(), slow(), 200, {}, "text/plain")({"type": "http"}, client.receive, client.send)
    assert client.taken[-1] == {"type": "http.response.body", "body": b""}


async def test_rights_that_end_end_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "ASK_SECONDS", 0.01)
    source, client = Endless(), Client(10**9, leaves=False)
    with pytest.raises(CutOffError):
        async with asyncio.timeout(10):
            answer = Streamed(call(valid=False), source.pieces(), 200, {}, "text/plain")
            await answer({"type": "http"}, client.receive, client.send)
    assert source.closed
