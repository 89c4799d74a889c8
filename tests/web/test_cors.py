"""A page of another origin gets in where the listener names that origin, and learns nothing anywhere else."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import httpx
import pytest

from leadglass.web.app import WebDoor
from leadglass.web.desk import ARCHIVE
from leadglass.web.doorway import WebDoorway
from leadglass.web.guard import ListenerRules
from tests.web.test_web_app import READER, ROUTES, OnePassword

VIEWER = "https://viewer.example.org"
WORD = {"authorization": "Bearer word"}
ASKING = {"access-control-request-method": "GET", "access-control-request-headers": "authorization"}


def client(*origins: str) -> httpx.AsyncClient:
    needed = [item.name for item in dataclasses.fields(WebDoorway) if item.default_factory is dataclasses.MISSING]
    doorway = WebDoorway(**{**dict.fromkeys(needed), "programs": OnePassword()})  # type: ignore[arg-type]
    rules = ListenerRules(tls=False, names=frozenset(), origins=frozenset(origins))
    door = WebDoor(doorway, rules, lambda: True, replace(ARCHIVE, routes=ROUTES))
    return httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://localhost")


def told(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


async def test_a_named_origin_may_ask_before_and_read_after() -> None:
    async with client(VIEWER) as http:
        before = await http.options("/dicom-web/hello/a", headers={"origin": VIEWER, **ASKING})
        assert before.status_code == 204
        assert before.headers["access-control-allow-origin"] == VIEWER
        assert "authorization" in before.headers["access-control-allow-headers"]
        answer = await http.get("/dicom-web/hello/a", headers={"origin": VIEWER, **WORD})
        assert answer.text == f"{READER.name} a"
        assert answer.headers["access-control-allow-origin"] == VIEWER
        assert "origin" in answer.headers["vary"]
        refused = await http.get("/dicom-web/hello/a", headers={"origin": VIEWER})
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == VIEWER  # so that the page can read why


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "*",
        "https://viewer.example.org.evil.example",
        "http://viewer.example.org",
        "https://VIEWER.example.org",
        "",
    ],
)
async def test_e10_no_other_origin_is_told_anything(origin: str) -> None:
    async with client(VIEWER) as http:
        for method, more in (("OPTIONS", ASKING), ("GET", WORD), ("GET", {})):
            answer = await http.request(method, "/dicom-web/hello/a", headers={"origin": origin, **more})
            assert told(answer) == {}
            assert answer.status_code == (401 if more is not WORD else 200)
            assert answer.headers["vary"] == "origin"


async def test_two_origins_are_none() -> None:
    async with client(VIEWER) as http:
        headers = [("origin", VIEWER), ("origin", VIEWER), *ASKING.items()]
        assert (await http.options("/dicom-web/hello/a", headers=headers)).status_code == 401


async def test_without_named_origins_there_is_no_such_header() -> None:
    async with client() as http:
        answer = await http.options("/dicom-web/hello/a", headers={"origin": VIEWER, **ASKING})
        assert answer.status_code == 401
        assert told(answer) == {}
        assert "vary" not in answer.headers


async def test_e10_credentials_are_never_lent() -> None:
    async with client(VIEWER) as http:
        answer = await http.get("/dicom-web/hello/a", headers={"origin": VIEWER, **WORD})
        assert "access-control-allow-credentials" not in answer.headers
        assert answer.headers["access-control-allow-origin"] != "*"


async def test_options_says_what_who_asks_may_do() -> None:
    async with client() as http:
        answer = await http.options("/dicom-web/hello/a", headers=WORD)
        assert (answer.status_code, answer.headers["allow"]) == (204, "GET, HEAD, OPTIONS")  # a reader deletes nothing
        assert (await http.options("/dicom-web/nothing", headers=WORD)).status_code == 404
        assert (await http.options("/dicom-web/hello/a")).status_code == 401
