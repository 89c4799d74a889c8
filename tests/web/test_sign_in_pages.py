"""The ways in, page by page, as a person goes them; and what a person is told who may not."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from paper_browser import PaperBrowser
from signed_in import client, signed_in

from leadglass.access.totp import totp
from leadglass.app.archive import Archive
from leadglass.core.accounts import Role
from leadglass.core.principal import SYSTEM
from leadglass.core.sessions import Audience
from leadglass.services.accounts import WantedAccount
from leadglass.services.one_time_codes import PATHS, Purpose
from leadglass.web.browser import COOKIES

GOOD = "many quiet herons by the pond"
COOKIE = COOKIES[Audience.PAGES]


@pytest.fixture
async def browser(archive: Archive) -> AsyncIterator[PaperBrowser]:
    async with client(archive) as http:
        yield PaperBrowser(http)


async def invited(archive: Archive, browser: PaperBrowser, name: str = "rossi", role: Role = Role.CLINICIAN) -> None:
    made = archive.accounts.add(SYSTEM, WantedAccount(name, name.title(), frozenset({role})))
    await browser.open(PATHS[Purpose.ENROL] + made.code)
    assert name in browser.page
    await browser.send(password=GOOD, again=GOOD)


async def test_the_first_account_is_made_by_the_link_that_was_printed(archive: Archive, browser: PaperBrowser) -> None:
    link = archive.codes.set_up()
    assert link is not None
    await browser.open(PATHS[Purpose.SET_UP] + link)
    await browser.send(name="Chief", display="Ada Chief", password="short", again="short")
    assert browser.answer.status_code == 400 and 'value="Ada Chief"' in browser.page and 'role="alert"' in browser.page
    await browser.send(name="chief", display="Ada Chief", password=GOOD, again=GOOD + "x")
    assert "not the same" in browser.page
    await browser.send(name="chief", display="Ada Chief", password=GOOD, again=GOOD)
    assert browser.path.startswith("/sign-in/authenticator") and "data:image/svg+xml" in browser.page
    await browser.send(code="000000")
    assert browser.answer.status_code == 403
    await browser.send(code=app_code(browser.page))
    codes = re.findall(r"<li><code>([^<]+)</code></li>", browser.page)
    assert len(codes) == 10 and COOKIE in browser.cookies and len(browser.cookies) == 1
    await browser.open("/account")
    assert "Ada Chief" in browser.page
    other = PaperBrowser(browser._http)
    await other.open(PATHS[Purpose.SET_UP] + link)
    assert other.answer.status_code == 404 and "<form" not in other.page
    # and in again: the password, then a recovery code, which is good once
    for _ in range(2):
        await other.open("/sign-in")
        await other.send(name="chief", password=GOOD)
        assert other.path.startswith("/sign-in/second")
        await other.send(code=codes[0])
    assert other.answer.status_code == 403
    await other.send(code=codes[1])
    assert COOKIE in other.cookies


def app_code(page: str) -> str:
    found = re.search(r'class="secret">([A-Z2-7 =]+)<', page)
    assert found is not None
    key = found[1].replace(" ", "")
    return totp(base64.b32decode(key + "=" * (-len(key) % 8)), int(time.time()) // 30)


async def test_signing_in_leads_where_one_wanted_to_go_and_nowhere_else(
    archive: Archive, browser: PaperBrowser
) -> None:
    await invited(archive, browser)
    for wanted, reached in (("/account", "/account"), ("//evil.example", "/"), ("/\\evil.example", "/")):
        other = PaperBrowser(browser._http)
        await other.open(f"/sign-in?next={wanted}")
        await other.send(name="rossi", password=GOOD)
        assert COOKIE in other.cookies
        assert other.path.startswith(reached) and "evil" not in str(other.answer.url)


async def test_what_is_wrong_is_one_sentence_and_the_name_is_kept(archive: Archive, browser: PaperBrowser) -> None:
    await invited(archive, browser)
    told = set()
    for name in ("rossi", "nobody"):
        other = PaperBrowser(browser._http)
        await other.open("/sign-in")
        await other.send(name=name, password="not this one")
        assert other.answer.status_code == 403 and f'value="{name}"' in other.page and not other.cookies
        told.add(other.page.replace(name, ""))
    assert len(told) == 1
    assert "not this one" not in other.page


async def test_a_link_that_was_used_or_never_was_makes_nothing(archive: Archive, browser: PaperBrowser) -> None:
    for path in ("/enrol/", "/set-up/"):
        await browser.open(path + "x" * 43)
        assert browser.answer.status_code == 404 and "<form" not in browser.page
    answer = await browser._http.post("/enrol/abc", headers={"origin": "http://localhost:8042"})
    assert answer.status_code == 403


async def test_a_fresh_proof_is_asked_for_and_leads_back(archive: Archive, browser: PaperBrowser) -> None:
    await invited(archive, browser)
    before = browser.cookies[COOKIE]
    session = archive.state.people.session(archive.sessions.digest(before))
    assert session is not None
    archive.state.people.put_session(replace(session, raised=1))
    await browser.open("/account/password")
    assert browser.path.startswith("/confirm?next=")
    await browser.send(password="wrong")
    assert browser.answer.status_code == 403
    await browser.send(password=GOOD)
    assert browser.path == "/account/password" and browser.cookies[COOKIE] != before
    await browser.send(password="another heron by the pond", again="another heron by the pond")
    assert browser.path == "/account"
    assert archive.sessions.person(before, Audience.PAGES, "") is None


async def test_the_glass_is_broken_for_a_reason_and_every_page_says_so(archive: Archive, browser: PaperBrowser) -> None:
    await invited(archive, browser)
    await browser.open("/emergency")
    await browser.send(reason="short")
    assert browser.answer.status_code == 400 and ">short</textarea>" in browser.page
    await browser.send(reason="resuscitation room <b>2</b>")
    await browser.open("/account")
    assert "resuscitation room &lt;b&gt;2&lt;/b&gt;" in browser.page and "<b>2" not in browser.page


async def test_other_sessions_are_seen_and_ended(archive: Archive, browser: PaperBrowser) -> None:
    await invited(archive, browser)
    other = PaperBrowser(browser._http)
    await other.open("/sign-in")
    await other.send(name="rossi", password=GOOD)
    await browser.open("/account")
    assert browser.page.count("paper") >= 2
    await browser.send("/account/sessions/end")
    await other.open("/account")
    assert other.path.startswith("/sign-in")


async def test_the_pages_speak_the_readers_language(archive: Archive, browser: PaperBrowser) -> None:
    await browser.open("/sign-in", **{"accept-language": "it"})
    assert '<html lang="it">' in browser.page and "Accedi" in browser.page
    who = signed_in(archive, "bianchi", Role.AUDITOR, language="it")
    answer = await browser._http.get("/account", headers={**who.headers, "accept-language": "en"})
    assert '<html lang="it">' in answer.text
