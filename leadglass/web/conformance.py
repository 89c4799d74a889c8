"""The conformance statement (PS3.2), for those who may search: app.conformance has written it, here it is given out."""

from __future__ import annotations

from starlette.responses import Response

from leadglass.web.answers import document
from leadglass.web.doorway import Call
from leadglass.web.negotiation import accepted, first_offered


async def conformance(call: Call) -> Response:
    """GET /conformance."""
    texts = call.doorway.conformance
    _, offer = first_offered(accepted(call.request), tuple(texts))
    kind = offer if offer == "application/json" else f"{offer}; charset=utf-8"
    return await document(call.request, texts[offer], kind)
