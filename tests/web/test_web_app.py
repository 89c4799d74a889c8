"""What the application does before any handler: who is not let in learns nothing, and faults tell nothing."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace

import httpx
import pytest
from starlette.responses import PlainTextResponse, Response

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import Principal, PrincipalKind, Right
from leadglass.web.app import WebDoor
from leadglass.web.desk import ARCHIVE
from leadglass.web.doorway import Call, WebDoorway
from leadglass.web.guard import ListenerRules
from leadglass.web.route import Route
from leadglass.web.statuses import STATUS

READER = Principal(PrincipalKind.OPERATOR, "reader", frozenset({Right.FIND}))
RULES = ListenerRules(tls=False, names=frozenset())


class OnePassword:
    """Lets in who says the word."""

    async def principal(self, authorization: str, address: str) -> Principal:
        if authorization == "Bearer word":
            return READER
        raise LeadglassError(ErrorCode.NOT_AUTHENTICATED, "This needs a valid bearer token.")

    def still_valid(self, principal: Principal) -> bool:
        return True


async def _hello(call: Call) -> Response:
    return PlainTextResponse(f"{call.principal.name} {call.path('name')}")


async def _fault(call: Call) -> Response:
    raise RuntimeError("Doe^John 1970")


async def _damage(call: Call) -> Response:
    raise LeadglassError(ErrorCode.DAMAGED, "Segment abc does not authenticate.")


ROUTES = (
    Route("GET", "/dicom-web/hello/{name}", Right.FIND, _hello),
    Route("DELETE", "/dicom-web/hello/{name}", Right.DELETE, _hello),
    Route("GET", "/dicom-web/fault", Right.FIND, _fault),
    Route("GET", "/dicom-web/damage", Right.FIND, _damage),
)


def client(ready: bool = True) -> httpx.AsyncClient:
    needed = [item.name for item in dataclasses.fields(WebDoorway) if item.default_factory is dataclasses.MISSING]
    doorway = WebDoorway(**{**dict.fromkeys(needed), "programs": OnePassword()})  # type: ignore[arg-type]  # these routes use no service
    door = WebDoor(doorway, RULES, lambda: ready, replace(ARCHIVE, routes=ROUTES))
    return httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://localhost")


WORD = {"authorization": "Bearer word"}


async def test_a_known_bearer_gets_through_and_answers_carry_the_fixed_headers() -> None:
    async with client() as http:
        answer = await http.get("/dicom-web/hello/you", headers=WORD)
    assert (answer.status_code, answer.text) == (200, "reader you")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/dicom-web/hello/you", "/dicom-web/none", "/", "/metrics", "/dicom-web/fault"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS", "TRACE"])
async def test_a_stranger_cannot_tell_what_exists(path: str, method: str) -> None:
    async with client() as http:
        answer = await http.request(method, path)
        other = await http.request("GET", "/surely/not/there")
    assert answer.status_code == other.status_code == 401
    assert answer.content == other.content
    assert sorted(answer.headers) == sorted(other.headers)


async def test_the_route_s_right_is_asked() -> None:
    async with client() as http:
        answer = await http.delete("/dicom-web/hello/you", headers=WORD)
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"


async def test_unknown_paths_and_methods_are_told_to_those_let_in() -> None:
    async with client() as http:
        assert (await http.get("/none", headers=WORD)).status_code == 404
        answer = await http.post("/dicom-web/hello/you", headers=WORD)
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET, HEAD, OPTIONS")


@pytest.mark.parametrize("path", ["/dicom-web/fault", "/dicom-web/damage"])
async def test_what_is_wrong_inside_is_not_told_outside(path: str, caplog: pytest.LogCaptureFixture) -> None:
    async with client() as http:
        answer = await http.get(path, headers=WORD)
    assert answer.status_code == 500
    assert "Doe" not in answer.text + caplog.text
    assert "Segment" not in answer.text
    assert json.loads(answer.content)["status"] == 500


async def test_health_says_nothing_but_whether() -> None:
    async with client(ready=False) as http:
        assert (await http.get("/healthz")).text == "ok\n"
        answer = await http.get("/readyz")
    assert (answer.status_code, answer.text) == (503, "not ready\n")


async def test_another_host_is_misdirected() -> None:
    async with client() as http:
        assert (await http.get("/healthz", headers={"host": "evil.example"})).status_code == 421


def test_every_error_code_has_a_status() -> None:
    assert set(STATUS) == set(ErrorCode)
