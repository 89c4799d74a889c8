"""Pages of other origins (Fetch standard, "CORS protocol"): those that the listener names, and nobody else.

There is no word for "every origin", and no credentials: a page sends the token itself, so a user's browser lends it
nothing. An origin that is not named gets the same answers as before, without a header that tells it more.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from starlette.responses import Response

from leadglass.web.guard import ListenerRules
from leadglass.web.outgoing import Headers

_METHODS: Final = "GET, POST, DELETE"
_ASKED: Final = "accept, authorization, content-type, if-match, if-none-match, range"
_TOLD: Final = "content-range, etag, retry-after, warning"  # beyond those that every page may read
_SECONDS: Final = "600"  # for which a browser remembers a preflight
_VARY: Final = (b"vary", b"origin")


def named_origin(rules: ListenerRules, headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The origin of a request if the listener names it, "" otherwise. Two of them are none."""
    if not rules.origins:
        return ""
    told = [value.decode("latin-1") for name, value in headers if name == b"origin"]
    return told[0] if len(told) == 1 and told[0] in rules.origins else ""


def readable(rules: ListenerRules, origin: str) -> Headers:
    """Headers by which a page of `origin` may read an answer. Caches keep answers apart wherever origins are named."""
    if not rules.origins:
        return ()
    if not origin:
        return (_VARY,)
    return (
        _VARY,
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", _TOLD.encode()),
    )


def preflight(origin: str, method: str, headers: Iterable[tuple[bytes, bytes]]) -> Response | None:
    """The answer to a browser that asks before it lets a page of a named origin call; None if this is no such request.

    It is given to whoever asks: a browser sends no token with it, and it says nothing that is not in this file.
    """
    asks = any(name == b"access-control-request-method" for name, _ in headers)
    if not origin or method != "OPTIONS" or not asks:
        return None
    told = {
        "access-control-allow-methods": _METHODS,
        "access-control-allow-headers": _ASKED,
        "access-control-max-age": _SECONDS,
    }
    return Response(None, 204, told)
