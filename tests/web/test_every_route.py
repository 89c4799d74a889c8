"""Every route of the table against every kind of credential that must not get in, or must not get there (E7, E8).

The cases are made from the table, so that a new row is covered when it is written. That the checks themselves can
fail is shown on rows with planted faults.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import archives
import httpx
import objects
import pytest
import stowing
from programs_support import Clock, Sink
from provider import OTHER, SETTINGS, AtOnce, Documents, claims, raw, signed
from starlette.responses import PlainTextResponse, Response

from leadglass.access.study_policy import RIGHTS_OF_SCOPE
from leadglass.access.tokens import token_text
from leadglass.app.archive import Archive
from leadglass.app.web_wiring import doorway_of
from leadglass.core.principal import SYSTEM, Right
from leadglass.core.reach import Reach
from leadglass.core.tokens import Scope
from leadglass.services.metadata import version_of
from leadglass.services.openid import OpenId
from leadglass.services.programs import Programs
from leadglass.services.tokens import DAY, Tokens, Wanted
from leadglass.web.app import WebDoor
from leadglass.web.desk import ARCHIVE
from leadglass.web.doorway import Call
from leadglass.web.guard import ListenerRules
from leadglass.web.route import Route
from leadglass.web.routes import OPEN, ROUTES

MINE, THEIRS, TRASHED, ABSENT = 1, 2, 3, 9
ALL = frozenset(Scope)
RULES = ListenerRules(tls=False, names=frozenset())
IMAGE = {
    "Rows": 10,
    "Columns": 100,
    "BitsAllocated": 16,
    "BitsStored": 16,
    "HighBit": 15,
    "PixelRepresentation": 0,
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
}
GARBAGE = "garbage"
NEVER_ISSUED = token_text(bytes(32))


@dataclass
class Door:
    """An archive with studies, its tokens by name, and its web door with any table of routes."""

    archive: Archive
    programs: Programs
    clock: Clock
    tokens: dict[str, str]
    versions: Mapping[int, str] = field(default_factory=dict)

    def client(self, address: str, routes: tuple[Route, ...] = ROUTES) -> httpx.AsyncClient:
        doorway = replace(doorway_of(self.archive), programs=self.programs)
        transport = httpx.ASGITransport(
            WebDoor(doorway, RULES, lambda: True, replace(ARCHIVE, routes=routes)), client=(address, 40_000)
        )
        return httpx.AsyncClient(transport=transport, base_url="http://localhost:8042")

    def parts(self, study: int) -> dict[str, str]:
        """What fills a template for the one instance of `study`."""
        uid = objects.study_uid(study)
        return {
            "study": uid,
            "series": f"{uid}.1000",
            "instance": objects.uid(study, 1),
            "version": self.versions.get(study, self.versions[MINE]),
            "path": "7FE00010",
            "list": "1",
        }

    async def ask(
        self,
        http: httpx.AsyncClient,
        route: Route,
        study: int,
        authorization: tuple[str, ...] = (),
        query: str = "",
    ) -> httpx.Response:
        """A request for `route` that names `study`, with these Authorization headers."""
        parts = self.parts(study)
        path = re.sub(r"\{(\w+)(:\w+)?\}", lambda found: parts.get(found[1], "1"), route.path)
        asked = re.sub(r"\{(\w+)\}", lambda found: parts.get(found[1], "1"), route.query)
        content, headers = b"", {}
        if route.method == "POST" and route.right is Right.STORE:
            made = objects.data_set(study, 1, SOPInstanceUID="1.2.3.4.5")
            content, headers = stowing.related(
                stowing.part10(objects.encoded(made), objects.CT, "1.2.3.4.5"), root="application/dicom"
            )
        lines = [*headers.items(), *(("authorization", text) for text in authorization)]
        url = f"{path}?{'&'.join(filter(None, (asked, query)))}"
        return await http.request(route.method, url, content=content, headers=lines)


def bearer(text: str) -> tuple[str, ...]:
    return (f"Bearer {text}",)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("every")
    with archives.opened(archives.make(folder, [])) as archive:
        clock = Clock()
        provider = OpenId(SETTINGS, Documents(), AtOnce(1), now=clock)
        programs = Programs(archive.state, archive.keys.token, refusals=Sink(), provider=provider, now=clock)
        made = Door(archive, programs, clock, dict(_tokens(archive, clock, folder)))
        made.versions = asyncio.run(_fill(archive))
        yield made


async def _fill(archive: Archive) -> dict[int, str]:
    versions = {}
    for study in (MINE, THEIRS, TRASHED):
        await objects.store_one(archive, study, **IMAGE)
        (stored,) = await archive.retrieve.select(SYSTEM, objects.whole_study(study))
        versions[study] = version_of(stored)
    archive.trash.delete(SYSTEM, objects.whole_study(TRASHED), "test")
    return versions


def _register(archive: Archive, clock: Clock) -> Tokens:
    state = archive.state
    return Tokens(archive.gate, state, archive.journal, archive.keys.token, people=state.people, now=clock.ns)


def _tokens(archive: Archive, clock: Clock, folder: Path) -> Iterator[tuple[str, str]]:
    def issue(name: str, scopes: frozenset[Scope] = ALL, **changes: object) -> tuple[str, str]:
        tokens = _register(archive, clock)
        return name, tokens.issue(SYSTEM, replace(Wanted(name, scopes), **changes)).text  # type: ignore[arg-type]

    yield issue("all")
    yield issue("mine", ALL - {Scope.ADMIN}, reach=Reach(studies=frozenset({objects.study_uid(MINE)})))
    for scope in Scope:
        yield issue(f"only-{scope.value}", frozenset({scope}))
    yield issue("revoked")
    archive.tokens.revoke(SYSTEM, "revoked")
    clock.now -= 2 * DAY / 1e9
    yield issue("expired", days=1)
    clock.now += 2 * DAY / 1e9
    with archives.opened(archives.make(folder / "other", [])) as other:
        tokens = _register(other, clock)
        yield "of another archive", tokens.issue(SYSTEM, Wanted("all", ALL)).text


def strangers(door: Door) -> dict[str, tuple[tuple[str, ...], str]]:
    """Authorization headers and a query string, by what is wrong with them."""
    good, clock = door.tokens["all"], door.clock
    payload = b'{"iss":"%s"}' % SETTINGS.issuer.encode()
    return {
        "none": ((), ""),
        "empty": (("",), ""),
        "a scheme alone": (("Bearer",), ""),
        "garbage": (bearer(GARBAGE), ""),
        "never issued": (bearer(NEVER_ISSUED), ""),
        "of another archive": (bearer(door.tokens["of another archive"]), ""),
        "expired": (bearer(door.tokens["expired"]), ""),
        "revoked": (bearer(door.tokens["revoked"]), ""),
        "a letter changed": (bearer(good[:-1] + ("a" if good[-1] != "a" else "b")), ""),
        "JWT: wrong audience": (bearer(signed(claims(clock, aud="another"))), ""),
        "JWT: wrong issuer": (bearer(signed(claims(clock, iss="https://evil.example"))), ""),
        "JWT: alg none": (bearer(raw(b'{"alg":"none"}', payload, b"")), ""),
        "JWT: expired": (bearer(signed(claims(clock, exp=int(clock.now) - 900))), ""),
        "JWT: of another key": (bearer(signed(claims(clock), OTHER)), ""),
        "JWT: a scope that gives nothing": (bearer(signed(claims(clock, scope="openid", groups=[]))), ""),
        "Basic": (("Basic YWxsOmFsbA==",), ""),
        "Basic with the token": ((f"Basic {good}",), ""),
        "two headers, the good one first": ((*bearer(good), *bearer(GARBAGE)), ""),
        "two headers, the good one last": ((*bearer(GARBAGE), *bearer(good)), ""),
        "two good ones": ((*bearer(good), *bearer(door.tokens["mine"])), ""),
        "joined by a comma": ((f"Bearer {good}, Bearer {GARBAGE}",), ""),
        "in the query string": ((), f"access_token={good}"),
        "in the query string as token": ((), f"token={good}&authorization=Bearer%20{good}"),
    }


def told(answer: httpx.Response) -> tuple[int, list[tuple[str, str]], bytes]:
    """All that an answer tells but the time."""
    return answer.status_code, sorted(pair for pair in answer.headers.items() if pair[0] != "date"), answer.content


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


async def nobody_gets_in(door: Door, route: Route, routes: tuple[Route, ...] = ROUTES) -> None:
    refusals = {}
    for number, (why, (headers, query)) in enumerate(strangers(door).items()):
        async with door.client(f"198.51.100.{number}", routes) as http:
            for study in (MINE, ABSENT):
                refusals[why, study] = told(await door.ask(http, route, study, headers, query))
    async with door.client("198.51.100.250", routes) as http:
        nowhere = told(await http.get("/surely/not/there"))
    assert nowhere[0] == 401
    assert {what: answer for what, answer in refusals.items() if answer != nowhere} == {}


async def the_right_is_asked(door: Door, route: Route, routes: tuple[Route, ...] = ROUTES) -> None:
    wrong = {}
    for scope in Scope:
        if route.right in RIGHTS_OF_SCOPE[scope]:
            continue
        async with door.client("192.0.2.1", routes) as http:
            answers = [
                told(await door.ask(http, route, study, bearer(door.tokens[f"only-{scope.value}"])))
                for study in (MINE, THEIRS, TRASHED, ABSENT)
            ]
        if answers[0][0] != 403 or answers.count(answers[0]) != len(answers):
            wrong[scope] = answers
    assert wrong == {}


async def foreign_looks_absent(door: Door, route: Route, routes: tuple[Route, ...] = ROUTES) -> None:
    mine = bearer(door.tokens["mine"])
    async with door.client("192.0.2.1", routes) as http:
        absent = told(await door.ask(http, route, ABSENT, mine))
        for study in (THEIRS, TRASHED):
            foreign = told(await door.ask(http, route, study, mine))
            assert foreign == absent
            assert objects.study_uid(study).encode() not in foreign[2]


CHECKS = (nobody_gets_in, the_right_is_asked, foreign_looks_absent)


@pytest.mark.parametrize("route", ROUTES, ids=name_of)
async def test_e7_nobody_gets_in_without_a_token_that_holds(door: Door, route: Route) -> None:
    await nobody_gets_in(door, route)


@pytest.mark.parametrize("route", ROUTES, ids=name_of)
async def test_e7_a_token_without_the_right_gets_no_further(door: Door, route: Route) -> None:
    await the_right_is_asked(door, route)


@pytest.mark.parametrize("route", ROUTES, ids=name_of)
async def test_e8_a_foreign_study_looks_like_an_absent_one(door: Door, route: Route) -> None:
    await foreign_looks_absent(door, route)


@pytest.mark.parametrize("route", sorted(ROUTES, key=lambda route: route.method == "DELETE"), ids=name_of)
async def test_who_holds_the_right_is_answered(door: Door, route: Route) -> None:
    """Without this the refusals above might be those of a door that answers nobody."""
    async with door.client("192.0.2.2") as http:
        back = route.path.endswith("/undelete")
        whole = route.path.count("{") == 1
        study = TRASHED if back and whole else MINE
        for token in ("all", "mine") if study == MINE else ("all",):
            if back and not whole:
                door.archive.trash.delete_instances(SYSTEM, objects.whole_study(study), "test")
            answer = await door.ask(http, route, study, bearer(door.tokens[token]))
            assert answer.status_code in (200, 204), answer.text
            if route.method == "DELETE" and whole:
                door.archive.trash.undelete(SYSTEM, [objects.study_uid(study)])
            elif route.method == "DELETE":
                door.archive.trash.undelete_instances(SYSTEM, objects.whole_study(study))
    if study == TRASHED:
        door.archive.trash.delete(SYSTEM, objects.whole_study(TRASHED), "test")


@pytest.mark.parametrize("route", [route for route in ROUTES if route.method == "GET"], ids=name_of)
async def test_e7_head_lets_nobody_in_whom_get_would_not(door: Door, route: Route) -> None:
    """And tells whom it lets in what GET tells."""
    head = replace(route, method="HEAD")
    words = ["all", *(f"only-{scope.value}" for scope in Scope), "revoked", "mine"]
    async with door.client("192.0.2.4") as http:
        for token in words:
            for study in (MINE, THEIRS, ABSENT):
                told_by_get = told(await door.ask(http, route, study, bearer(door.tokens[token])))
                told_by_head = told(await door.ask(http, head, study, bearer(door.tokens[token])))
                assert told_by_head == (*told_by_get[:2], b"")


def test_e7_every_right_of_a_program_is_asked_about() -> None:
    """Some scope lacks each route's right, so that no row of the test above is empty."""
    for route in ROUTES:
        assert any(route.right not in RIGHTS_OF_SCOPE[scope] for scope in Scope)


async def test_e7_what_is_open_to_all_says_nothing(door: Door) -> None:
    async with door.client("192.0.2.3") as http:
        assert [(await http.get(path)).text for path in OPEN] == ["ok\n", "ok\n"]
    assert OPEN == ("/healthz", "/readyz")


async def _whoever(call: Call) -> Response:
    return PlainTextResponse("here")


async def _by_system(call: Call) -> Response:
    """Asks in a name of its own."""
    found = await call.doorway.retrieve.select(SYSTEM, objects.whole_study(int(call.path("study")[-1])))
    return PlainTextResponse(str(len(found)), 200 if found else 404)


async def _tells_trash(call: Call) -> Response:
    trashed = call.path("study") == objects.study_uid(TRASHED)
    return PlainTextResponse("", 404, {"x-hint": "trash"} if trashed else None)


@pytest.mark.parametrize(
    ("check", "route", "planted"),
    [
        (nobody_gets_in, Route("GET", "/healthz", Right.FIND, _whoever), "open"),
        (the_right_is_asked, Route("GET", "/planted/{study}", Right.ECHO, _whoever), "a right that all have"),
        (foreign_looks_absent, Route("GET", "/planted/{study}", Right.FIND, _by_system), "reach left out"),
        (foreign_looks_absent, Route("GET", "/planted/{study}", Right.FIND, _tells_trash), "a header that tells"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_route_with_a_fault_does_not_pass(door: Door, check: object, route: Route, planted: str) -> None:
    with pytest.raises(AssertionError):
        if check is the_right_is_asked:  # the table says FIND, the door lets in whoever may echo
            await the_right_is_asked(door, replace(route, right=Right.FIND), (route,))
        else:
            await check(door, route, (route,))  # type: ignore[operator]
