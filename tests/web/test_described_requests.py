"""schemathesis asks a running archive all that its OpenAPI description allows, and some that it does not.

Whatever it asks: no fault of ours, a status that is described, content of a type and shape that is described, and a
refusal is a problem document.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import objects
import pytest
import requests
import schemathesis
import stowing
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from web_site import WebSite, web_site

from leadglass.web.descriptions import DESCRIPTIONS
from leadglass.web.openapi import description
from leadglass.web.routes import ROUTES
from tests.web.test_every_route import IMAGE

DOCUMENT = description(ROUTES, "http://localhost")
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
PLACES = [(route.method, route.path.replace(":path", "")) for route in ROUTES]
STUDY = objects.study_uid(1)
FILE = stowing.part10(objects.encoded(objects.data_set(1, 1, **IMAGE)), objects.CT, objects.uid(1, 1))
RELATED, HEADER = stowing.related(FILE)
MODEL, MODEL_HEADER = stowing.related(
    json.dumps(
        [{"00080016": {"vr": "UI", "Value": [objects.CT]}, "00080018": {"vr": "UI", "Value": ["1.2.9"]}}]
    ).encode(),
    root="application/dicom+json",
)
BODIES = st.one_of(
    st.tuples(st.sampled_from([RELATED, RELATED[:-30], RELATED[:200], b""]), st.just(HEADER["content-type"])),
    st.tuples(st.sampled_from([MODEL, MODEL[:-40]]), st.just(MODEL_HEADER["content-type"])),
    st.tuples(st.sampled_from([FILE, FILE[:500], b""]) | st.binary(max_size=64), st.just("application/dicom")),
    st.tuples(
        st.binary(max_size=64), st.sampled_from(["multipart/related", "text/plain", "a;b", HEADER["content-type"]])
    ),
)


@schemathesis.serializer(*(kind for item in DESCRIPTIONS.values() for kind in item.takes))
def as_bytes(ctx: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSite]:
    with web_site(tmp_path_factory.mktemp("site")) as made:
        yield made


@pytest.fixture(scope="module")
def known(site: WebSite) -> dict[str, str]:
    """What fills a path so that something is found there."""
    root, header = site.roots["plain"], {"authorization": site.bearer}
    answer = httpx.post(f"{root}/studies", content=RELATED, headers=HEADER | header)
    assert answer.status_code == 200, answer.text
    one = f"{root}/studies/{STUDY}/series/{STUDY}.1000/instances/{objects.uid(1, 1)}"
    (found,) = httpx.get(f"{one}/metadata", headers=header).json()
    _, version, path = found["7FE00010"]["BulkDataURI"].rsplit("/", 2)
    return {
        "study": STUDY,
        "series": f"{STUDY}.1000",
        "instance": objects.uid(1, 1),
        "list": "1",
        "version": version,
        "path": path,
        "studyUID": STUDY,
        "seriesUID": f"{STUDY}.1000",
        "objectUID": objects.uid(1, 1),
    }


def aimed(case: Case, known: dict[str, str], at: str) -> None:
    """Have a request be about what is there: in all parts of its path, or all but one."""
    for parts in (case.path_parameters, case.query):
        for name in list(parts or {}):
            if name in known and name != at:
                parts[name] = known[name]


@pytest.mark.parametrize(("method", "path"), PLACES, ids=lambda text: text)
def test_every_answer_is_as_described(site: WebSite, known: dict[str, str], method: str, path: str) -> None:
    operation = SCHEMA[path][method]
    root = site.roots["plain"].removesuffix("/dicom-web")
    session = requests.Session()
    session.trust_env = False
    seen = SimpleNamespace(statuses=set[int]())

    @settings(
        max_examples=40,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def ask(data: st.DataObject) -> None:
        mode = data.draw(st.sampled_from(list(GenerationMode)))
        case = data.draw(operation.as_strategy(generation_mode=mode))
        if method != "DELETE":
            aimed(case, known, data.draw(st.sampled_from(["nothing", "nothing", "all", *known])))
        headers = {"Authorization": site.bearer}
        if DESCRIPTIONS_OF[method, path].takes:
            case.body, headers["Content-Type"] = data.draw(BODIES)
        response = case.call(base_url=root, session=session, headers=headers)
        seen.statuses.add(response.status_code)
        case.validate_response(response, checks=CHECKS, headers=headers)
        if response.status_code >= 400 and response.status_code != 409:
            told = response.json()
            assert told["status"] == response.status_code
            assert set(told) == {"type", "title", "status", "detail"}

    ask()
    assert seen.statuses & set(DESCRIPTIONS_OF[method, path].statuses) or method == "DELETE" or "undelete" in path


DESCRIPTIONS_OF = {(method, path.replace(":path", "")): item for (method, path), item in DESCRIPTIONS.items()}
