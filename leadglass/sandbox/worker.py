"""The worker's side: a fresh interpreter loads the codecs, confines itself, serves one principal and study, and ends.

Started as `python -I -S -B -c ... PATH...` with an empty environment and only its two pipes.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from typing import TypeAlias

from leadglass.core.pictures import PictureOrder
from leadglass.core.ports import PixelDescription
from leadglass.sandbox import painter as painting
from leadglass.sandbox import protocol
from leadglass.sandbox.codecs import Decode, decode_frame, warm_up
from leadglass.sandbox.confine import be_gentle, confine
from leadglass.sandbox.painter import Painter, high_throughput

_IN, _OUT = 0, 1
_STREAM = io.FileIO(_IN, closefd=False)


Task: TypeAlias = Callable[[bytearray], bool]  # takes a frame; False if it wants no more of them


def main(
    *, decode: Decode = decode_frame, painter: Callable[[PictureOrder], Painter] = Painter, use_landlock: bool = True
) -> None:
    """Confine this process and serve frames until the archive closes the pipe."""
    be_gentle()
    warm_up()
    painting.warm_up()
    layers = confine(use_landlock=use_landlock)
    _send(protocol.READY, json.dumps(asdict(layers)).encode())
    task: Task | None = None
    while (request := _receive()) is not None:
        kind, body = request
        if kind == protocol.DESCRIPTION:
            task = _decoding(decode, protocol.decode_description(bytes(body)))
        elif kind == protocol.ORDER:
            task = _painting(painter, protocol.decode_order(memoryview(body)))
        elif kind == protocol.ENCODE:
            task = _encoding(*protocol.decode_target(bytes(body)))
        elif kind != protocol.FRAME or task is None:
            return
        elif not task(body):
            task = None


def _decoding(decode: Decode, description: PixelDescription) -> Task:
    def take(frame: bytearray) -> bool:
        _answer(decode, description, bytes(frame))
        return True

    return take


def _painting(painter: Callable[[PictureOrder], Painter], order: PictureOrder) -> Task:
    """All frames of an order, then one answer: none of it is kept behind that."""
    at_work: list[Painter] = []
    left = order.frames

    def take(frame: bytearray) -> bool:
        nonlocal left
        left -= 1
        try:
            if not at_work:
                at_work.append(painter(order))
            if not at_work[0].add(frame):
                return True
            picture = at_work[0].picture()
        except Exception:  # whatever a codec raises on hostile input means the same
            _send(protocol.FAILED)
            if left:  # frames are on their way that nobody waits for
                raise SystemExit from None
            return False
        _send(protocol.PICTURE, picture)
        return False

    return take


def _encoding(description: PixelDescription, target: str) -> Task:
    def take(frame: bytearray) -> bool:
        try:
            codestream = high_throughput(description, target, frame)
        except Exception:  # as there
            _send(protocol.FAILED)
        else:
            _send(protocol.ENCODED, codestream)
        return False

    return take


def _answer(decode: Decode, description: PixelDescription, frame: bytes) -> None:
    try:
        pixels, photometric = decode(description, frame)
    except Exception:  # whatever a codec raises on hostile input means the same
        _send(protocol.FAILED)
        return
    name = photometric.encode()
    _send(protocol.PIXELS, bytes([len(name)]) + name, pixels)


def _send(kind: int, *parts: bytes) -> None:
    _write(protocol.message(kind, sum(map(len, parts))))
    for part in parts:
        _write(part)


def _write(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(_OUT, view) :]


def _receive() -> tuple[int, bytearray] | None:
    """The next request, or None when the archive has closed the pipe."""
    header = _read(protocol.HEADER.size)
    if header is None:
        return None
    kind, length = protocol.parse_header(bytes(header), protocol.MAX_REQUEST)
    body = _read(length)
    return None if body is None else (kind, body)


def _read(length: int) -> bytearray | None:
    """Read straight into its place (FileIO uses the one call that the filter lets through)."""
    got = bytearray(length)
    view, filled = memoryview(got), 0
    while filled < length:
        count = _STREAM.readinto(view[filled:])
        if not count:
            return None
        filled += count
    return got
