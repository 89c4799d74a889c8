"""Passkeys and the provider, page by page: what a browser is given, what it brings back, and what lets nobody in."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from html import unescape
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from authenticator import Authenticator
from paper_browser import PaperBrowser
from people_support import HASH, PASSWORD, SECRET
from programs_support import Clock
from provider import ISSUER, SETTINGS, AtOnce, Documents, claims, signed
from signed_in import FROM_HERE, ORIGIN, account, client, signed_in

from leadglass.access.openid_people import PeopleSettings, RoleEntry
from leadglass.access.passkeys import Site
from leadglass.app.archive import Archive
from leadglass.core.accounts import Role
from leadglass.core.sessions import Audience
from leadglass.services.openid import OpenId
from leadglass.services.provider_sign_in import ProviderSignIn
from leadglass.web.browser import COOKIES
from leadglass.web.pages.passkeys import TICKET_COOKIE
from leadglass.web.pages.provider import COOKIE as PROVIDER_COOKIE
from leadglass.web.pages.sign_in import STEP_COOKIE

COOKIE = COOKIES[Audience.PAGES]
SITE = Site(ORIGIN, "localhost")


@pytest.fixture
async def http(archive: Archive) -> AsyncIterator[httpx.AsyncClient]:
    async with client(archive) as made:
        yield made


@pytest.fixture
def browser(http: httpx.AsyncClient) -> PaperBrowser:
    return PaperBrowser(http)


async def options(browser: PaperBrowser, path: str, **fields: str) -> str:
    """What the script of a page asks for."""
    answer = await browser._http.post(path, data=fields, headers={**browser._headers(), **FROM_HERE})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json" and answer.headers["cache-control"] == "no-store"
    browser._keep(answer)
    return answer.text


async def with_passkey(archive: Archive, browser: PaperBrowser, device: Authenticator) -> None:
    """Somebody who is signed in adds a passkey."""
    who = signed_in(archive, "rossi", Role.CLINICIAN, password_hash=HASH)
    browser.cookies[COOKIE] = who.cookie
    await browser.open("/account")
    await browser.send("/account/passkeys")
    assert browser.path.startswith("/sign-in/passkey/new")
    asked = await options(browser, "/sign-in/passkey/options")
    await browser.send("/sign-in/passkey/new", label="", answer=device.create(asked))
    assert browser.answer.status_code == 400
    await browser.send("/sign-in/passkey/new", label="blue <b>key</b>", answer=device.create(asked))
    assert len(re.findall(r"<li><code>", browser.page)) == 10
    assert browser.cookies[COOKIE] != who.cookie and STEP_COOKIE not in browser.cookies
    await browser.open("/account")
    assert "blue &lt;b&gt;key" in browser.page and "<b>key" not in browser.page


async def test_a_passkey_is_added_and_signs_in(archive: Archive, browser: PaperBrowser) -> None:
    device = Authenticator(SITE)
    await with_passkey(archive, browser, device)
    other = PaperBrowser(browser._http)
    await other.open("/sign-in?next=/account")
    asked = await options(other, "/sign-in/passkey/request")
    assert set(other.cookies) == {TICKET_COOKIE}
    await other.send("/sign-in/passkey", answer=device.get(asked))
    assert other.path == "/account" and set(other.cookies) == {COOKIE}


async def test_a_passkey_is_the_second_step_and_wrong_ones_are_told_alike(
    archive: Archive, browser: PaperBrowser
) -> None:
    device = Authenticator(SITE)
    await with_passkey(archive, browser, device)
    other = PaperBrowser(browser._http)
    await other.open("/sign-in")
    await other.send(name="rossi", password=PASSWORD)
    assert other.path.startswith("/sign-in/second")
    asked = await options(other, "/sign-in/passkey/request", second="1")
    await other.send("/sign-in/passkey", answer=Authenticator(SITE).get(asked))
    assert other.answer.status_code == 403 and COOKIE not in other.cookies and 'role="alert"' in other.page
    asked = await options(other, "/sign-in/passkey/request", second="1")
    await other.send("/sign-in/passkey", answer=device.get(asked))
    assert set(other.cookies) == {COOKIE}


async def test_a_passkey_is_a_fresh_proof(archive: Archive, browser: PaperBrowser) -> None:
    device = Authenticator(SITE)
    await with_passkey(archive, browser, device)
    before = browser.cookies[COOKIE]
    await browser.open("/confirm?next=/account/password")
    asked = await options(browser, "/sign-in/passkey/request")
    await browser.send("/confirm/passkey", answer=device.get(asked))
    assert browser.path == "/account/password" and browser.cookies[COOKIE] != before
    assert archive.sessions.person(before, Audience.PAGES, "") is None


@pytest.mark.parametrize("answer", ["", "{}", "x" * 40_000, "\u202e"])
async def test_an_answer_that_is_none_lets_nobody_in(browser: PaperBrowser, answer: str) -> None:
    await browser.open("/sign-in")
    await options(browser, "/sign-in/passkey/request")
    await browser.send("/sign-in/passkey", answer=answer)
    assert browser.answer.status_code == 403 and not browser.cookies


async def test_options_for_a_step_that_is_none_are_refused(browser: PaperBrowser) -> None:
    for path, fields in (("/sign-in/passkey/options", {}), ("/sign-in/passkey/request", {"second": "1"})):
        for cookie in ("", "x" * 43):
            headers = {**FROM_HERE, "cookie": f"{STEP_COOKIE}={cookie}"}
            answer = await browser._http.post(path, data=fields, headers=headers)
            # without a step's code the request is one for signing in alone
            assert answer.status_code in ((401, 403) if cookie or path.endswith("options") else (200,))


# --- the provider -----------------------------------------------------------------------------------------------------


@pytest.fixture
def documents(archive: Archive) -> Documents:
    """The archive has a provider, which answers what the test says."""
    made = Documents()
    people = PeopleSettings(
        "pages", f"{ISSUER}/authorize", f"{ISSUER}/token", (RoleEntry("radiology", Role.CLINICIAN),)
    )
    archive.provider_sign_in = ProviderSignIn(
        people,
        OpenId(SETTINGS, made, AtOnce(1)),
        made,
        archive.sign_in,
        people=archive.state.people,
        state=archive.state,
        token_key=archive.keys.token,
    )
    return made


async def away(browser: PaperBrowser, documents: Documents, path: str = "/sign-in/provider?next=/account") -> str:
    """Off to the provider, which will say that it was anna; the state that comes back."""
    answer = await browser._http.get(path, headers=browser._headers())
    assert answer.status_code == 303 and answer.headers["location"].startswith(f"{ISSUER}/authorize?")
    (line,) = answer.headers.get_list("set-cookie")
    assert "SameSite=Lax" in line and "HttpOnly" in line
    browser._keep(answer)
    asked = parse_qs(urlsplit(answer.headers["location"]).query)
    clock = Clock()
    clock.now = time.time()
    token = signed(claims(clock, aud="pages", nonce=asked["nonce"][0], auth_time=int(clock.now)))
    documents.answers[f"{ISSUER}/token"] = {"id_token": token}
    return asked["state"][0]


def onward(page: str) -> str:
    found = re.search(r'<meta http-equiv="refresh" content="0; url=([^"]*)">', page)
    assert found is not None, page
    return unescape(found[1])


async def test_somebody_comes_back_from_the_provider_signed_in(documents: Documents, browser: PaperBrowser) -> None:
    await browser.open("/sign-in")
    assert "/sign-in/provider?next=" in browser.page
    state = await away(browser, documents)
    await browser.open(f"/sign-in/provider/callback?code=abc&state={state}")
    assert onward(browser.page) == "/account" and set(browser.cookies) == {COOKIE}
    await browser.open("/account")
    assert browser.path == "/account"


async def test_what_is_still_missing_is_asked_for_on_the_way(
    archive: Archive, documents: Documents, browser: PaperBrowser
) -> None:
    account(archive, "anna", Role.CLINICIAN, subject=f"anna@{ISSUER}", totp_secret=SECRET)
    state = await away(browser, documents)
    await browser.open(f"/sign-in/provider/callback?code=abc&state={state}")
    assert onward(browser.page) == "/sign-in/second?next=%2Faccount" and set(browser.cookies) == {STEP_COOKIE}


@pytest.mark.parametrize(
    "query", ["", "error=access_denied", "code=abc", "code=abc&state=x", "state={state}", "code=&state={state}"]
)
async def test_whoever_comes_back_with_something_else_is_nobody(
    documents: Documents, browser: PaperBrowser, query: str
) -> None:
    state = await away(browser, documents)
    await browser.open(f"/sign-in/provider/callback?{query.format(state=state)}")
    assert browser.answer.status_code == 403 and not browser.cookies and "access_denied" not in browser.page


async def test_another_browser_does_not_bring_ones_answer(documents: Documents, browser: PaperBrowser) -> None:
    state = await away(browser, documents)
    other = PaperBrowser(browser._http)
    await other.open(f"/sign-in/provider/callback?code=abc&state={state}")
    assert other.answer.status_code == 403 and not other.cookies


@pytest.mark.parametrize("wanted", ["//evil.example", "https://evil.example", "/\\evil.example", "/" + "x" * 3000])
async def test_the_way_back_leads_nowhere_else(documents: Documents, browser: PaperBrowser, wanted: str) -> None:
    state = await away(browser, documents, f"/sign-in/provider?next={wanted}")
    browser.cookies[PROVIDER_COOKIE] = browser.cookies[PROVIDER_COOKIE].partition(".")[0] + "." + "%2F%2Fevil.example"
    await browser.open(f"/sign-in/provider/callback?code=abc&state={state}")
    assert onward(browser.page) == "/"


async def test_without_a_provider_there_is_no_way_to_it(browser: PaperBrowser) -> None:
    await browser.open("/sign-in")
    assert "/sign-in/provider" not in browser.page
    for path in ("/sign-in/provider", "/sign-in/provider/callback?code=1&state=2"):
        assert (await browser._http.get(path, headers=browser._headers())).status_code == 404
