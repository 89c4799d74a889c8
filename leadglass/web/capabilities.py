"""Retrieve Capabilities (PS3.18 8.9 and annex H): what of the service its caller may use, as WADL or the same in JSON.

It is written for who asks: a transaction that the caller has no right to is not in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from xml.etree import ElementTree

from starlette.responses import Response

from leadglass.core.principal import Principal
from leadglass.web.answers import document
from leadglass.web.description import ALWAYS_REFUSED, PATH_PARAMETERS, Description, Parameter
from leadglass.web.descriptions import DESCRIPTIONS
from leadglass.web.doorway import Call
from leadglass.web.negotiation import accepted, first_offered
from leadglass.web.problem import MEDIA_TYPE as PROBLEM
from leadglass.web.route import Route
from leadglass.web.urls import BASE

WADL: Final = "application/vnd.sun.wadl+xml"
ROOTS: Final = (BASE, BASE + "/")
_OFFERS: Final = (WADL, "application/json")
_NAMESPACE: Final = "http://wadl.dev.java.net/2009/02"
_TYPES: Final = {"integer": "xsd:integer", "string": "xsd:string"}

Node = dict[str, Any]


async def capabilities(call: Call, routes: Sequence[Route]) -> Response:
    """OPTIONS on the root of the service."""
    _, offer = first_offered(accepted(call.request), _OFFERS)
    tree = description_of(routes, call.principal, call.origin)
    body = _wadl(tree) if offer == WADL else json.dumps({"application": tree}).encode()
    return await document(call.request, body, offer, {"allow": "OPTIONS"})


def description_of(routes: Iterable[Route], principal: Principal, origin: str) -> Node:
    """The application as a tree of resources, each with its methods and the resources below it."""
    root: Node = {"path": "", "resource": []}
    for route in routes:
        described = DESCRIPTIONS.get((route.method, route.path))
        if described is not None and principal.may(route.right):
            _at(root, route.path).setdefault("method", []).append(_method(route.method, described))
    return {"resources": {"base": origin, "resource": root["resource"]}}


def _at(node: Node, template: str) -> Node:
    """The resource of a template, made with those above it where it is not there yet."""
    for part in template.strip("/").split("/"):
        step = re.sub(r":\w+\}", "}", part)
        found = next((item for item in node["resource"] if item["path"] == step), None)
        if found is None:
            found = {"path": step, **_template_parameter(step), "resource": []}
            node["resource"].append(found)
        node = found
    return node


def _template_parameter(step: str) -> Node:
    if not step.startswith("{"):
        return {}
    about, _ = PATH_PARAMETERS[step.strip("{}")]
    return {"param": [{"name": step.strip("{}"), "style": "template", "type": "xsd:string", "doc": about}]}


def _method(method: str, described: Description) -> Node:
    accept = {"name": "Accept", "style": "header", "type": "xsd:string", "option": _options(described)}
    request: Node = {"param": [accept] if accept["option"] else []}
    request["param"] += [_parameter(item) for item in described.parameters]
    if described.takes:
        request["representation"] = [{"mediaType": kind} for kind in described.takes]
    success: Node = {"status": _statuses(described.statuses)}
    if described.answers:
        success["representation"] = [{"mediaType": kind} for kind in (*described.answers, *described.if_stored)]
    refused = {
        "status": _statuses((*described.refusals, *ALWAYS_REFUSED)),
        "representation": [{"mediaType": PROBLEM}],
    }
    about = f"{described.about} ({described.reference})"
    return {"name": method, "id": described.name, "doc": about, "request": request, "response": [success, refused]}


def _options(described: Description) -> list[Mapping[str, str]]:
    return [{"value": kind} for kind in (*described.answers, *described.if_stored)]


def _parameter(parameter: Parameter) -> Node:
    name = f"{{{parameter.name}}}" if parameter.open else parameter.name
    kind = _TYPES[str(parameter.schema["type"])]
    made: Node = {"name": name, "style": "query", "type": kind, "doc": parameter.about}
    if parameter.required:
        made["required"] = "true"
    if parameter.open:
        made["repeating"] = "true"
    return made


def _statuses(statuses: Iterable[int]) -> str:
    return " ".join(str(status) for status in sorted(set(statuses)))


def _wadl(tree: Node) -> bytes:
    root = ElementTree.Element("application", {"xmlns": _NAMESPACE, "xmlns:xsd": "http://www.w3.org/2001/XMLSchema"})
    _element(root, tree)
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


# WADL wants the children of an element in this order (its schema, "tResource" and "tMethod").
_CHILDREN: Final = ("param", "option", "request", "response", "method", "representation", "resources", "resource")


def _element(element: ElementTree.Element, node: Node) -> None:
    if "doc" in node:
        ElementTree.SubElement(element, "doc").text = node["doc"]
    for name, value in node.items():
        if isinstance(value, str) and name != "doc":
            element.set(name, value)
    for name in _CHILDREN:
        children = node.get(name, [])
        for child in children if isinstance(children, list) else [children]:
            _element(ElementTree.SubElement(element, name), child)
