"""Converts a data set between the native transfer syntaxes as it streams through (PS3.5 annex A).

Strategy: an ElementReader tells elements to an Encoder that writes them out at once. Sequences and items that are not
empty leave with undefined length, so nothing has to be known of what is still to come; group lengths (retired) are
left out because they would be wrong; values of odd length are padded. Memory stays within a few pieces of PIECE bytes
whatever the size of the data set, deflated ones included. Where only the compression differs, or nothing, the bytes
are not looked at.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import Final, Protocol

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.dicom.elements import ElementReader
from leadglass.dicom.encoder import Encoder
from leadglass.dicom.overlay import RootEdit, RootEditor
from leadglass.dicom.refusal import broken
from leadglass.dicom.transfer_syntaxes import TransferSyntax, lookup
from leadglass.dicom.uids import EXPLICIT_VR_LE

PIECE: Final = 256 * 1024  # bytes worked on at once


class _Stage(Protocol):
    """One step of the conversion: bytes in, bytes out, nothing gathered beyond a piece."""

    def feed(self, data: memoryview) -> Iterator[bytes]: ...

    def finish(self) -> Iterator[bytes]: ...


class _Inflate(_Stage):
    """Opens raw deflate (PS3.5 A.5), never more than a piece at a time."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(-zlib.MAX_WBITS)

    def feed(self, data: memoryview) -> Iterator[bytes]:
        rest: bytes | memoryview = data
        while rest and not self._stream.eof:
            try:
                piece = self._stream.decompress(rest, PIECE)
            except zlib.error:
                raise broken("deflated data set does not inflate") from None
            rest = self._stream.unconsumed_tail
            if piece:
                yield piece

    def finish(self) -> Iterator[bytes]:
        # A full piece may leave more inside the stream than its input shows.
        while not self._stream.eof:
            try:
                piece = self._stream.decompress(b"", PIECE)
            except zlib.error:
                raise broken("deflated data set does not inflate") from None
            if not piece and not self._stream.eof:
                raise broken("deflated data set is cut short")
            yield piece


class _Recode(_Stage):
    """Reads elements in one encoding and writes them in another."""

    def __init__(
        self, source: TransferSyntax, target: TransferSyntax, edits: Mapping[int, RootEdit | None], signed: bool
    ) -> None:
        self._encoder = Encoder(
            implicit=not target.explicit_vr,
            little=target.little_endian,
            vr_is_guess=not source.explicit_vr,
            signed=signed,
        )
        self._editor = RootEditor(self._encoder, edits) if edits else None
        self._reader = ElementReader(
            self._editor or self._encoder, implicit=not source.explicit_vr, little=source.little_endian
        )

    def feed(self, data: memoryview) -> Iterator[bytes]:
        for start in range(0, len(data), PIECE):
            self._reader.feed(data[start : start + PIECE])
            if out := self._encoder.drain():
                yield out

    def finish(self) -> Iterator[bytes]:
        self._reader.finish()
        if self._editor is not None:
            self._editor.finish()
        if out := self._encoder.drain():
            yield out


class _Deflate(_Stage):
    """Compresses (PS3.5 A.5), padded to even length at the end."""

    def __init__(self) -> None:
        self._stream = zlib.compressobj(level=6, wbits=-zlib.MAX_WBITS)
        self._written = 0

    def feed(self, data: memoryview) -> Iterator[bytes]:
        if out := self._stream.compress(data):
            self._written += len(out)
            yield out

    def finish(self) -> Iterator[bytes]:
        out = self._stream.flush()
        yield out + b"\0" * ((self._written + len(out)) % 2)


def can_transcode(source_ts: str, target_ts: str) -> bool:
    """Whether a Transcoder between the two exists: they are equal, or neither holds compressed pixels."""
    if source_ts == target_ts:
        return True
    source, target = lookup(source_ts), lookup(target_ts)
    return source is not None and target is not None and _is_native(source) and _is_native(target)


def _is_native(syntax: TransferSyntax) -> bool:
    return not syntax.encapsulated and not syntax.pixels_elsewhere


class Transcoder:
    """Converts one data set from `source_ts` to `target_ts`.

    `edits` are laid over the outermost level (tag -> RootEdit, or None to leave it out). `signed` is what Pixel
    Representation will be, for the few attributes of open VR that come before it. The iterators of `feed` and
    `finish` must be used up before the next call. Errors: LeadglassError CANNOT_CONVERT.
    """

    def __init__(
        self,
        source_ts: str,
        target_ts: str,
        *,
        edits: Mapping[int, RootEdit | None] | None = None,
        signed: bool = False,
    ) -> None:
        if not can_transcode(source_ts, target_ts) or (edits and not can_transcode(source_ts, EXPLICIT_VR_LE)):
            raise LeadglassError(ErrorCode.CANNOT_CONVERT, "there is no direct way between the transfer syntaxes")
        self._stages: list[_Stage] = _stages(source_ts, target_ts, edits or {}, signed)

    def feed(self, data: bytes | bytearray | memoryview) -> Iterator[bytes]:
        """Take more of the data set; the converted bytes in pieces of a few hundred KiB at most."""
        view = memoryview(data)
        return self._through(0, view) if view else iter(())

    def finish(self) -> Iterator[bytes]:
        """The data set has ended; the last bytes. Raises if it ended in the middle of something."""
        for number, stage in enumerate(self._stages):
            for piece in stage.finish():
                yield from self._through(number + 1, memoryview(piece))

    def _through(self, number: int, data: memoryview) -> Iterator[bytes]:
        if number == len(self._stages):
            yield bytes(data)
            return
        for piece in self._stages[number].feed(data):
            yield from self._through(number + 1, memoryview(piece))


def _stages(source_ts: str, target_ts: str, edits: Mapping[int, RootEdit | None], signed: bool) -> list[_Stage]:
    source, target = lookup(source_ts), lookup(target_ts)
    if source is None or target is None or (source is target and not edits):
        return []
    stages: list[_Stage] = [_Inflate()] if source.deflated else []
    same = source.explicit_vr == target.explicit_vr and source.little_endian == target.little_endian
    if edits or not same:
        stages.append(_Recode(source, target, edits, signed))
    if target.deflated:
        stages.append(_Deflate())
    return stages
