"""Refusals as problem documents (RFC 9457): one plain sentence, nothing internal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """A problem document. `detail` is one sentence for people, without any value of a data set."""
    document = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    body = json.dumps(document, ensure_ascii=False).encode()
    return Response(body, status, {"cache-control": "no-store", **(headers or {})}, MEDIA_TYPE)
