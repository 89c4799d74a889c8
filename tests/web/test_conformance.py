"""The conformance statement and the OpenAPI description over HTTP: for who may search, in the form asked for."""

from __future__ import annotations

import pytest
import webbed
from openapi_spec_validator import OpenAPIV31SpecValidator

from leadglass.app.archive import Archive
from leadglass.app.conformance import TITLE
from leadglass.core.principal import Right
from leadglass.web.routes import ROUTES
from leadglass.web.urls import CONFORMANCE, OPENAPI

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "kind", "start"),
    [
        ("", "text/html; charset=utf-8", "<!DOCTYPE html>"),
        (BROWSER, "text/html; charset=utf-8", "<!DOCTYPE html>"),
        ("text/markdown", "text/markdown; charset=utf-8", f"# {TITLE}"),
        ("application/json", "application/json", '{"title": '),
        ("application/*", "application/json", '{"title": '),
    ],
)
async def test_the_statement_comes_as_it_is_asked_for(archive: Archive, accept: str, kind: str, start: str) -> None:
    async with webbed.client(archive) as http:
        answer = await http.get(CONFORMANCE, headers={"accept": accept} if accept else {})
        again = await http.get(
            CONFORMANCE, headers={"accept": accept or "*/*", "if-none-match": answer.headers["etag"]}
        )
        other = await http.get(CONFORMANCE, headers={"accept": "application/pdf"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    assert answer.text.startswith(start)
    assert (again.status_code, other.status_code) == (304, 406)
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_the_description_is_of_this_service_and_has_itself_in_it(archive: Archive) -> None:
    async with webbed.client(archive) as http:
        answer = await http.get(OPENAPI)
    found = answer.json()
    OpenAPIV31SpecValidator(found).validate()
    assert found["servers"] == [{"url": "http://localhost:8042"}]
    assert set(found["paths"]) == {route.path.replace(":path", "") for route in ROUTES}


@pytest.mark.parametrize("path", [CONFORMANCE, OPENAPI])
async def test_who_may_not_search_is_not_told(archive: Archive, path: str) -> None:
    async with webbed.client(archive, webbed.program("sender", frozenset({Right.STORE}))) as http:
        assert (await http.get(path)).status_code == 403
