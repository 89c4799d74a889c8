"""Every route is described, every description has its route, and what a description says is so."""

from __future__ import annotations

import re
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
import webbed

from leadglass.app.archive import Archive
from leadglass.core.principal import Right
from leadglass.web.description import PATH_PARAMETERS
from leadglass.web.descriptions import DESCRIPTIONS
from leadglass.web.route import Route
from leadglass.web.routes import ROUTES
from tests.web.test_every_route import MINE, Door, bearer, door, name_of, strangers, told

__all__ = ["door"]  # the fixture

ROOT = "/dicom-web/"
WADL = {"w": "http://wadl.dev.java.net/2009/02"}


def test_routes_and_descriptions_are_of_the_same_things() -> None:
    assert {(route.method, route.path) for route in ROUTES} == set(DESCRIPTIONS)


def test_names_of_transactions_are_unique() -> None:
    assert len({item.name for item in DESCRIPTIONS.values()}) == len(DESCRIPTIONS)


def test_every_part_of_a_path_is_described() -> None:
    named = {name for route in ROUTES for name in re.findall(r"\{(\w+)", route.path)}
    assert named == set(PATH_PARAMETERS)


@pytest.mark.parametrize("path", ["/dicom-web", ROOT])
async def test_wadl_has_every_transaction_with_its_place(archive: Archive, path: str) -> None:
    async with webbed.client(archive) as http:
        answer = await http.options(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/vnd.sun.wadl+xml"
    root = ElementTree.fromstring(answer.content)
    assert root.tag == f"{{{WADL['w']}}}application"
    (resources,) = root.findall("w:resources", WADL)
    assert resources.get("base") == "http://localhost:8042"
    assert places(resources) == {
        (route.method, route.path.replace(":path", ""), DESCRIPTIONS[route.method, route.path].name) for route in ROUTES
    }
    (series,) = (item for item in root.iter(f"{{{WADL['w']}}}resource") if item.get("path") == "{series}")
    assert [(item.get("name"), item.get("style")) for item in series.findall("w:param", WADL)] == [
        ("series", "template")
    ]


def places(node: ElementTree.Element, above: str = "") -> set[tuple[str | None, str, str | None]]:
    found = set()
    for resource in node.findall("w:resource", WADL):
        path = f"{above}/{resource.get('path')}"
        found |= {(item.get("name"), path, item.get("id")) for item in resource.findall("w:method", WADL)}
        found |= places(resource, path)
    return found


async def test_json_says_the_same(archive: Archive) -> None:
    async with webbed.client(archive) as http:
        answer = await http.options(ROOT, headers={"accept": "application/json"})
        none = await http.options(ROOT, headers={"accept": "text/html"})
    resources = answer.json()["application"]["resources"]
    (studies,) = next(item["resource"] for item in resources["resource"] if item["path"] == "dicom-web")[:1]
    names = [item["id"] for item in studies["method"]]
    assert (studies["path"], names) == ("studies", ["SearchForStudies", "StoreInstances"])
    assert none.status_code == 406


@pytest.mark.parametrize("right", [Right.FIND, Right.STORE, Right.DELETE, Right.RETRIEVE, Right.ADMINISTER])
async def test_only_what_one_may_do_is_told(archive: Archive, right: Right) -> None:
    async with webbed.client(archive, webbed.program("some", frozenset({right}))) as http:
        answer = await http.options(ROOT)
    told = {item.get("id") for item in ElementTree.fromstring(answer.content).iter(f"{{{WADL['w']}}}method")}
    assert told == {DESCRIPTIONS[route.method, route.path].name for route in ROUTES if route.right is right}


async def test_strangers_are_told_nothing(door: Door) -> None:
    for number, (why, (headers, query)) in enumerate(strangers(door).items()):
        async with door.client(f"198.51.100.{number}") as http:
            lines = [("authorization", text) for text in headers]
            answer = told(await http.request("OPTIONS", f"{ROOT}?{query}", headers=lines))
            nowhere = told(await http.get("/surely/not/there", headers=lines))
        assert (answer[0], answer) == (401, nowhere), why


GETS = [
    (route, accept)
    for route in ROUTES
    if route.method == "GET"
    for accept in DESCRIPTIONS[route.method, route.path].answers
]


@pytest.mark.parametrize(("route", "accept"), GETS, ids=lambda item: name_of(item) if isinstance(item, Route) else item)
async def test_what_is_described_is_answered(door: Door, route: Route, accept: str) -> None:
    async with door.client("192.0.2.9") as http:
        answer = await door.ask(http, route, MINE, bearer(door.tokens["all"]), f"accept={quote(accept)}")
    assert answer.status_code in DESCRIPTIONS[route.method, route.path].statuses, answer.text
    assert answer.status_code == 200
    assert kind_of(answer.headers["content-type"]) == kind_of(accept)


def kind_of(text: str) -> tuple[str, str]:
    """Media type and that of its parts."""
    part = re.search(r'type="([^"]+)"', text)
    return text.partition(";")[0], part[1] if part else ""
