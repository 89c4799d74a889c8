"""Streams of instances go out in larger pieces, and nothing of them is lost at an error."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from leadglass.core.ports import Buffer
from leadglass.web.streams import SENT_AT_ONCE, CutOffError, joined

PIECE = 64 * 1024


class Source:
    """`count` pieces, each of its own byte, then `error`."""

    def __init__(self, count: int, error: Exception | None = None) -> None:
        self.closed = False
        self._count = count
        self._error = error

    async def pieces(self) -> AsyncIterator[Buffer]:
        try:
            for number in range(self._count):
                yield bytes([number]) * PIECE
            if self._error is not None:
                raise self._error
        finally:
            self.closed = True

    def expected(self) -> bytes:
        return b"".join(bytes([number]) * PIECE for number in range(self._count))


async def test_pieces_are_joined_and_none_is_lost() -> None:
    source = Source(19)
    found = [bytes(piece) async for piece in joined(source.pieces())]
    assert b"".join(found) == source.expected()
    assert [len(piece) for piece in found] == [SENT_AT_ONCE, SENT_AT_ONCE, 3 * PIECE]


async def test_what_was_made_before_an_error_is_given_first() -> None:
    source = Source(11, CutOffError())
    found = b""
    with pytest.raises(CutOffError):
        async for piece in joined(source.pieces()):
            found += piece
    assert found == source.expected()


async def test_a_reader_that_stops_ends_the_source() -> None:
    source = Source(20)
    stream = joined(source.pieces())
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]  # a generator
    assert source.closed


async def test_nothing_gives_nothing() -> None:
    assert [piece async for piece in joined(Source(0).pieces())] == []
