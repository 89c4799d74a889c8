"""The OpenAPI description is one that tools accept, and says of every route what its row and its description say."""

from __future__ import annotations

import copy
import re

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from openapi_spec_validator.validation.exceptions import OpenAPIValidationError

from leadglass.web.description import ALWAYS_REFUSED
from leadglass.web.descriptions import DESCRIPTIONS
from leadglass.web.openapi import description
from leadglass.web.routes import ROUTES

DOCUMENT = description(ROUTES, "https://archive.example")


def test_it_is_openapi() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()
    broken = copy.deepcopy(DOCUMENT)
    del broken["paths"]["/wado"]["get"]["parameters"][0]["schema"]
    with pytest.raises(OpenAPIValidationError):
        OpenAPIV31SpecValidator(broken).validate()


def test_every_route_is_in_it_with_its_parts_and_its_statuses() -> None:
    operations = {
        (method.upper(), path): made for path, item in DOCUMENT["paths"].items() for method, made in item.items()
    }
    assert set(operations) == {(route.method, route.path.replace(":path", "")) for route in ROUTES}
    for route in ROUTES:
        made, described = (
            operations[route.method, route.path.replace(":path", "")],
            DESCRIPTIONS[route.method, route.path],
        )
        named = [item["name"] for item in made["parameters"] if item["in"] == "path"]
        assert named == re.findall(r"\{(\w+)", route.path)
        statuses = {int(status) for status in made["responses"]}
        assert statuses == {*described.statuses, *described.refusals, *ALWAYS_REFUSED}
        assert f"'{route.right.value}'" in made["description"]


def test_nobody_is_let_in_without_a_token() -> None:
    assert DOCUMENT["security"] == [{"bearer": []}]
    assert not any("security" in made for item in DOCUMENT["paths"].values() for made in item.values())
    assert DOCUMENT["components"]["securitySchemes"] == {"bearer": {"type": "http", "scheme": "bearer"}}
