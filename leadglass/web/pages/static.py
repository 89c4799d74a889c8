"""Style sheets, scripts and pictures of the pages, under URLs that carry their content's digest."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

from blake3 import blake3
from starlette.responses import Response

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.web.answers import document
from leadglass.web.pages.page import PageCall

_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_ICON: Final = "icon.svg"


@cache
def _contents() -> dict[str, tuple[bytes, str]]:
    """Every file by its name, with its media type: all there is, so that no name of a request is ever a path."""
    found = {}
    for item in (files(__package__) / "static").iterdir():
        kind = next((value for ending, value in _TYPES.items() if item.name.endswith(ending)), "")
        if kind:
            found[item.name] = (item.read_bytes(), kind)
    return found


@cache
def static_url(name: str) -> str:
    """The URL of a static file; KeyError if there is none."""
    return f"/static/{_digest(name)}/{name}"


@cache
def _digest(name: str) -> str:
    return blake3(_contents()[name][0]).hexdigest(length=8)


async def static_file(call: PageCall) -> Response:
    """GET /static/{digest}/{name}."""
    name = call.path("name")
    if name not in _contents() or call.path("digest") != _digest(name):
        raise LeadglassError(ErrorCode.NOT_FOUND, "There is no such file.")
    body, kind = _contents()[name]
    return await document(call.request, body, kind, {"vary": "accept-encoding"}, cache=_FOR_EVER)


async def icon(call: PageCall) -> Response:
    """GET /favicon.ico: browsers ask for it whatever the page says."""
    body, kind = _contents()[_ICON]
    return await document(call.request, body, kind, {"vary": "accept-encoding"})
