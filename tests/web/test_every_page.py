"""Every page of the table against sessions that must not get in, and forms that were not sent from here (E7, E8).

The cases are made from the table, so that a new page is covered when it is written. That the checks can fail is shown
on pages with planted faults.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import archives
import httpx
import pytest
from objects import study_uid
from programs_support import Clock
from signed_in import FROM_HERE, HTML, ORIGIN, Somebody, again, client, signed_in
from starlette.responses import PlainTextResponse, Response

from leadglass.app.archive import Archive
from leadglass.core.accounts import Role
from leadglass.core.principal import Right
from leadglass.core.sessions import Audience
from leadglass.services.sessions import Known, Sessions
from leadglass.web.browser import COOKIES
from leadglass.web.desk import ARCHIVE, DESKS
from leadglass.web.pages.page import Entry, Page, PageCall
from leadglass.web.pages.table import PAGES

CLOSED = [page for page in PAGES if page.entry is not Entry.OPEN]
OPEN_FORMS = [page for page in PAGES if page.entry is Entry.OPEN and page.method != "GET"]
COOKIE = COOKIES[Audience.PAGES]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """One archive for all: each test has people of its own."""
    with archives.opened(archives.make(tmp_path_factory.mktemp("pages"), [])) as opened:
        yield opened


def path_of(page: Page) -> str:
    return re.sub(r"\{study\}", study_uid(1), re.sub(r"\{(?!study\})\w+(:\w+)?\}", "1", page.path))


def name_of(page: Page) -> str:
    return f"{page.method} {page.path}"


async def ask(http: httpx.AsyncClient, page: Page, headers: dict[str, str]) -> httpx.Response:
    return await http.request(page.method, path_of(page), headers=headers)


def strangers(archive: Archive) -> dict[str, dict[str, str]]:
    """What somebody sends who must not get in, by what is wrong with it."""
    somebody = signed_in(archive, "rossi", *(set(Role) - {Role.RESEARCHER}))
    ended = again(archive, somebody.account)
    archive.state.people.end_sessions(digest=archive.sessions.digest(ended.cookie))
    viewer = again(archive, somebody.account, Audience.VIEWER, Known(studies=frozenset({study_uid(1)})))
    clock = Clock()
    clock.now -= 13 * 3600
    old = Sessions(archive.state.people, archive.state, archive.keys.token, clock.ns).begin(
        somebody.account, Audience.PAGES, Known()
    )
    gone = signed_in(archive, "gone", *Role)
    archive.state.people.change_account(gone.account.name, lambda one: replace(one, disabled=1))
    changed = somebody.cookie[:-2] + ("AA" if somebody.cookie[-2:] != "AA" else "BB")
    shown = {
        "none": "",
        "empty": f"{COOKIE}=",
        "garbage": f"{COOKIE}=garbage",
        "no letters": f"{COOKIE}=\u00e8",
        "changed": f"{COOKIE}={changed}",
        "ended": f"{COOKIE}={ended.cookie}",
        "expired": f"{COOKIE}={old}",
        "of a disabled account": f"{COOKIE}={gone.cookie}",
        "of the viewer": f"{COOKIE}={viewer.cookie}",
        "by the viewer's name": f"{COOKIES[Audience.VIEWER]}={viewer.cookie}",
        "two of them": f"{COOKIE}={somebody.cookie}; {COOKIE}={ended.cookie}",
        "two good ones": f"{COOKIE}={somebody.cookie}; {COOKIE}={somebody.cookie}",
    }
    made = {why: {"cookie": text, "x-csrf-token": somebody.csrf, **FROM_HERE} for why, text in shown.items()}
    made["a token of a program's kind"] = {"authorization": f"Bearer {somebody.cookie}", **FROM_HERE}
    return {why: {key: value for key, value in one.items() if value} for why, one in made.items()}


@pytest.mark.parametrize("page", CLOSED, ids=name_of)
async def test_e7_nobody_gets_to_a_page_without_a_session(archive: Archive, page: Page) -> None:
    async with client(archive) as http:
        for why, headers in strangers(archive).items():
            answer = await ask(http, page, {key: value.encode() for key, value in headers.items()})  # type: ignore[arg-type]
            nowhere = await http.request(page.method, "/surely/not/there", headers={**FROM_HERE})
            assert (answer.status_code, answer.content) == (401, nowhere.content), why
            if page.method == "GET" and "authorization" not in headers:
                shown = await ask(http, page, {**{k: v.encode() for k, v in headers.items()}, **HTML})  # type: ignore[arg-type]
                assert shown.status_code == 303 and shown.headers["location"].startswith("/sign-in?next="), why


async def nothing_is_changed_for_others(archive: Archive, page: Page, pages: tuple[Page, ...] = PAGES) -> None:
    everybody = signed_in(archive, "rossi", *(set(Role) - {Role.RESEARCHER}))
    good = everybody.changing
    wrong = {
        "no token": {key: value for key, value in good.items() if key != "x-csrf-token"},
        "another's token": {**good, "x-csrf-token": signed_in(archive, "other", Role.CLINICIAN).csrf},
        "another site": {**good, "sec-fetch-site": "cross-site"},
        "a neighbour": {**good, "sec-fetch-site": "same-site"},
        "typed": {**good, "sec-fetch-site": "none"},
        "another origin": {**good, "origin": "https://evil.example"},
        "no origin": {**{k: v for k, v in good.items() if k not in FROM_HERE}, "origin": "null"},
        "no origin of another site": {**good, "origin": "null", "sec-fetch-site": "cross-site"},
        "another port": {**good, "origin": "http://localhost:8043"},
        "nothing of both": {k: v for k, v in good.items() if k not in FROM_HERE},
    }
    async with client(archive, replace(ARCHIVE, pages=pages)) as http:
        for why, headers in wrong.items():
            assert (await ask(http, page, headers)).status_code == 403, why


@pytest.mark.parametrize("page", [page for page in CLOSED if page.method != "GET"], ids=name_of)
async def test_e8_nothing_is_changed_that_was_not_sent_from_a_page_of_ours(archive: Archive, page: Page) -> None:
    await nothing_is_changed_for_others(archive, page)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.entry is Entry.OPEN and page.method != "GET"], ids=name_of
)
async def test_e8_open_forms_are_taken_from_our_own_pages_only(archive: Archive, page: Page) -> None:
    async with client(archive) as http:
        for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {}):
            assert (await ask(http, page, headers)).status_code == 403


@pytest.mark.parametrize("page", [page for page in CLOSED if page.right is not None], ids=name_of)
async def test_e7_a_page_is_for_those_who_hold_its_right(archive: Archive, page: Page) -> None:
    lesser = [role for role in Role if page.right not in rights(archive, role)]
    assert lesser
    async with client(archive) as http:
        for role in lesser:
            who = signed_in(archive, role.value, role)
            assert (await ask(http, page, who.changing)).status_code == 403, role


def rights(archive: Archive, role: Role) -> frozenset[Right]:
    who = signed_in(archive, f"of-{role.value}", role)
    person = archive.sessions.person(who.cookie, Audience.PAGES, "")
    assert person is not None
    return person.principal.rights


@pytest.mark.parametrize("page", [page for page in CLOSED if page.entry is Entry.FRESH], ids=name_of)
async def test_what_needs_a_fresh_proof_asks_for_one(archive: Archive, page: Page) -> None:
    who = stale(archive, signed_in(archive, "rossi", *(set(Role) - {Role.RESEARCHER})))
    async with client(archive) as http:
        answer = await ask(http, page, who.changing)
        assert answer.status_code == 303 and answer.headers["location"].startswith("/confirm?next=")


def stale(archive: Archive, who: Somebody) -> Somebody:
    """Their last proof is ten minutes old."""
    digest = archive.sessions.digest(who.cookie)
    session = archive.state.people.session(digest)
    assert session is not None
    archive.state.people.put_session(replace(session, raised=session.raised - 600 * 10**9))
    return who


async def _hello(call: PageCall) -> Response:
    return PlainTextResponse("hello")


async def test_a_planted_page_that_is_open_is_found(archive: Archive) -> None:
    """That the checks above can fail: an open page answers what a closed one does not."""
    planted = Page("POST", "/planted", _hello, Entry.OPEN)
    with pytest.raises(AssertionError):
        await nothing_is_changed_for_others(archive, planted, (planted,))
    async with client(archive, replace(ARCHIVE, pages=(planted,))) as http:
        assert (await http.post("/planted", headers={"origin": ORIGIN})).text == "hello"


async def test_a_cookie_reaches_dicomweb_and_changes_need_its_csrf_token(archive: Archive) -> None:
    who = signed_in(archive, "tech", Role.TECHNOLOGIST)
    async with client(archive) as http:
        assert (
            await http.get("/dicom-web/studies", headers={**who.headers, "accept": "application/dicom+json"})
        ).status_code == 200
        for headers in (who.headers, {**who.headers, **FROM_HERE}, {**who.headers, "x-csrf-token": who.csrf}):
            assert (await http.post("/dicom-web/studies", headers=headers)).status_code == 403
        assert (await http.post("/dicom-web/studies", headers=who.changing)).status_code not in (401, 403)


async def test_signing_out_ends_the_session_and_empties_the_browser(archive: Archive) -> None:
    who = signed_in(archive, "rossi", Role.CLINICIAN)
    async with client(archive) as http:
        assert (await http.get("/", headers=who.headers)).headers["location"] == "/studies"
        answer = await http.post("/sign-out", headers=who.changing)
        assert answer.status_code == 303 and "Max-Age=0" in answer.headers["set-cookie"]
        assert "clear-site-data" in answer.headers
        assert (await http.get("/", headers=who.headers)).headers["location"].startswith("/sign-in")


async def test_pages_are_sealed(archive: Archive) -> None:
    who = signed_in(archive, "audit", Role.AUDITOR)
    async with client(archive) as http:
        answer = await http.get("/", headers=who.headers)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy and "frame-ancestors 'none'" in policy and "default-src 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "same-origin"  # with less, browsers send forms with `Origin: null`
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "<script>" not in answer.text and "onclick" not in answer.text


@pytest.mark.parametrize("serves", ["viewer", "shares"])
@pytest.mark.parametrize("page", CLOSED, ids=name_of)
async def test_e7_other_listeners_know_no_page_of_the_archive(archive: Archive, page: Page, serves: str) -> None:
    who = signed_in(archive, "rossi", *(set(Role) - {Role.RESEARCHER}))
    refused = 404 if DESKS[serves].neutral else 401
    async with client(archive, DESKS[serves]) as http:
        for name in COOKIES.values():
            headers = {**who.changing, "cookie": f"{name}={who.cookie}", "accept": "*/*"}
            assert (await ask(http, page, headers)).status_code == refused
        bearer = {"authorization": "Bearer anything", **FROM_HERE}
        assert (await http.get("/dicom-web/studies", headers=bearer)).status_code == refused
