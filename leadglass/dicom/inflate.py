"""Bounded inflating of a deflated data set (PS3.5 A.5: a raw RFC 1951 stream)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import KIB, MAX_INFLATED_FREELY, MAX_INFLATION_RATIO

_PIECE: Final = 256 * KIB  # what is in memory at a time


class BoundedInflater:
    """Inflates piece by piece; raises UNPARSABLE on a bomb, a broken stream, or one that is cut short."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
        self._taken = 0
        self._given = 0
        self._behind = 0
        self.trailing = False  # more than the one padding byte stands behind the stream

    def feed(self, data: bytes | memoryview) -> Iterator[bytes]:
        """The pieces that `data` inflates to, at most 256 KiB each."""
        self._taken += len(data)
        waiting: bytes | memoryview = data
        ended = self._stream.eof
        while not self._stream.eof:
            try:
                piece = self._stream.decompress(waiting, _PIECE)
            except zlib.error:
                raise LeadglassError(ErrorCode.UNPARSABLE, "The data set is not a deflated stream") from None
            waiting = self._stream.unconsumed_tail
            self._given += len(piece)
            if self._given > max(MAX_INFLATED_FREELY, MAX_INFLATION_RATIO * self._taken):
                raise LeadglassError(ErrorCode.UNPARSABLE, "The data set inflates beyond its limit")
            if piece:
                yield piece
            if not waiting and len(piece) < _PIECE:  # a full piece may have left output inside the stream
                break
        self._note_behind(data if ended else self._stream.unused_data)

    def _note_behind(self, behind: bytes | memoryview) -> None:
        """A single NUL pads the stream to an even length, in whichever feed it comes; anything else is noted."""
        self._behind += len(behind)
        if self._behind > 1 or bytes(behind[:1]).strip(b"\0"):
            self.trailing = True

    def finish(self) -> None:
        """The stream has ended. Raises UNPARSABLE if it is cut short."""
        if not self._stream.eof:
            raise LeadglassError(ErrorCode.UNPARSABLE, "The deflated data set is cut short")
