"""The OpenAPI 3.1 description of the web service, from the table of routes and their descriptions."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from http import HTTPStatus
from typing import Any, Final

from starlette.responses import Response

from leadglass.web.answers import document
from leadglass.web.description import ALWAYS_REFUSED, PATH_PARAMETERS, Description, Parameter
from leadglass.web.descriptions import DESCRIPTIONS, OPENAPI_TYPES
from leadglass.web.doorway import Call
from leadglass.web.negotiation import accepted, first_offered
from leadglass.web.problem import MEDIA_TYPE as PROBLEM
from leadglass.web.route import Route

Node = dict[str, Any]

_JSON: Final = re.compile(r"application/(\w+\+)?json")
_VERSION: Final = "1.0"  # of the interface: PS3.18 and what stands beside it here
_ABOUT: Final = (
    "DICOMweb (PS3.18) of a Leadglass archive. HEAD is answered wherever GET is. What is not there and what is out of "
    "the caller's reach cannot be told apart."
)

# The DICOM JSON model (PS3.18 F.2), and refusals (RFC 9457).
_SCHEMAS: Final[Node] = {
    "Attribute": {
        "type": "object",
        "required": ["vr"],
        "properties": {
            "vr": {"type": "string", "pattern": "^[A-Z]{2}$"},
            "Value": {"type": "array", "minItems": 1},
            "BulkDataURI": {"type": "string"},
            "InlineBinary": {"type": "string"},
        },
        "additionalProperties": False,
    },
    "DataSet": {
        "type": "object",
        "propertyNames": {"pattern": "^[0-9A-F]{8}$"},
        "additionalProperties": {"$ref": "#/components/schemas/Attribute"},
    },
    "DataSets": {"type": "array", "items": {"$ref": "#/components/schemas/DataSet"}},
    "Problem": {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"const": "about:blank"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
        },
        "additionalProperties": False,
    },
}


def handler_of(routes: Callable[[], Sequence[Route]]) -> Callable[[Call], Awaitable[Response]]:
    """The handler of GET /dicom-web/openapi.json; `routes` gives the table that it stands in itself."""

    async def answer(call: Call) -> Response:
        _, offer = first_offered(accepted(call.request), OPENAPI_TYPES)
        return await document(call.request, json.dumps(description(routes(), call.origin)).encode(), offer)

    return answer


def description(routes: Iterable[Route], origin: str) -> Node:
    """The whole document, for the service at `origin` (scheme and host)."""
    paths: Node = {}
    for route in routes:
        described = DESCRIPTIONS.get((route.method, route.path))
        if described is not None:
            path = re.sub(r":\w+\}", "}", route.path)
            paths.setdefault(path, {})[route.method.lower()] = _operation(route, described)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Leadglass", "version": _VERSION, "description": _ABOUT},
        "servers": [{"url": origin}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": _SCHEMAS,
            "responses": {"Problem": {"description": "A refusal", "content": _problem()}},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route, described: Description) -> Node:
    made: Node = {
        "operationId": described.name,
        "summary": described.about,
        "description": f"{described.reference}. Needs the right '{route.right.value}'.",
        "parameters": [
            *(_path_parameter(name) for name in re.findall(r"\{(\w+)", route.path)),
            *(_query_parameter(item) for item in described.parameters),
        ],
        "responses": {str(status): _success(status, described) for status in described.statuses},
    }
    if described.takes:
        body = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in described.takes}
        made["requestBody"] = {"required": True, "content": body}
    for status in (*described.refusals, *ALWAYS_REFUSED):
        made["responses"].setdefault(str(status), {"$ref": "#/components/responses/Problem"})
    return made


def _path_parameter(name: str) -> Node:
    about, schema = PATH_PARAMETERS[name]
    return {"name": name, "in": "path", "required": True, "description": about, "schema": dict(schema)}


def _query_parameter(parameter: Parameter) -> Node:
    made: Node = {"name": parameter.name, "in": "query", "description": parameter.about}
    if parameter.open:
        made |= {"style": "form", "explode": True}
        made["schema"] = {"type": "object", "additionalProperties": dict(parameter.schema)}
    else:
        made["schema"] = dict(parameter.schema)
    return made | ({"required": True} if parameter.required else {})


def _success(status: int, described: Description) -> Node:
    made: Node = {"description": HTTPStatus(status).phrase}
    if status in (204, 304):
        return made
    kinds = (*described.answers, *described.if_stored)
    made["content"] = {kind: _content(kind, described.model) for kind in kinds}
    if status >= 400:
        made["content"] |= _problem()
    return made


def _content(kind: str, model: str) -> Node:
    return {"schema": {"$ref": f"#/components/schemas/{model}"}} if model and _JSON.fullmatch(kind) else {}


def _problem() -> Node:
    return {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
