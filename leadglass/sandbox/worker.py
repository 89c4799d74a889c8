"""The worker's side: a fresh interpreter loads the codecs, confines itself, serves one job and ends.

Started as `python -I -S -B -c ... PATH...` with an empty environment and only its two pipes.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict

from leadglass.core.ports import PixelDescription
from leadglass.sandbox import protocol
from leadglass.sandbox.codecs import Decode, decode_frame, warm_up
from leadglass.sandbox.confine import be_gentle, confine

_IN, _OUT = 0, 1
_LARGEST_READ = 1 << 20


def main(*, decode: Decode = decode_frame, use_landlock: bool = True) -> None:
    """Confine this process and serve frames until the archive closes the pipe."""
    be_gentle()
    warm_up()
    layers = confine(use_landlock=use_landlock)
    _send(protocol.READY, json.dumps(asdict(layers)).encode())
    description: PixelDescription | None = None
    while (request := _receive()) is not None:
        kind, body = request
        if kind == protocol.DESCRIPTION:
            description = protocol.decode_description(body)
        elif kind == protocol.FRAME and description is not None:
            _answer(decode, description, body)
        else:
            return


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


def _receive() -> tuple[int, bytes] | None:
    """The next request, or None when the archive has closed the pipe."""
    header = _read(protocol.HEADER.size)
    if header is None:
        return None
    kind, length = protocol.parse_header(header, protocol.MAX_REQUEST)
    body = _read(length)
    return None if body is None else (kind, body)


def _read(length: int) -> bytes | None:
    got = bytearray()
    while len(got) < length:
        piece = os.read(_IN, min(length - len(got), _LARGEST_READ))
        if not piece:
            return None
        got += piece
    return bytes(got)
