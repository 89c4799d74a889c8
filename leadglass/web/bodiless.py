"""HEAD: the head of GET's answer, and nothing behind it (RFC 9110 9.3.2).

What GET would have streamed is ended before it was made: nobody decrypts a study to throw it away.
"""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from leadglass.web.streams import Streamed


class Bodiless(Response):
    """The head of `whole`, with the length that its body would have where that is known."""

    def __init__(self, whole: Response) -> None:
        super().__init__(None, whole.status_code)
        self.raw_headers = whole.raw_headers
        self._whole = whole

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": b""})
        finally:
            if isinstance(self._whole, Streamed):
                await self._whole.close()
