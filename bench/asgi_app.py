"""What the HTTP servers are compared with: a small answer, and a frame of 512 kB that is decrypted for each request."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from leadglass.app.heap import keep_buffers

keep_buffers()  # as the web process does
CHUNK, CHUNKS = 64 * 1024, 8
_CIPHER = AESGCM(os.urandom(32))
_NONCES = [number.to_bytes(12, "big") for number in range(CHUNKS)]
_SEALED = [_CIPHER.encrypt(nonce, os.urandom(CHUNK), b"") for nonce in _NONCES]
_SMALL = b"ok\n"

Message = dict[str, Any]


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """ASGI 3: /small and /frame."""
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": message["type"] + ".complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    pieces = [_SMALL]
    if scope["path"] == "/frame":
        pieces = [_CIPHER.decrypt(nonce, sealed, b"") for nonce, sealed in zip(_NONCES, _SEALED, strict=True)]
    length = str(sum(map(len, pieces))).encode()
    headers = [(b"content-type", b"application/octet-stream"), (b"content-length", length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": piece is not pieces[-1]})
