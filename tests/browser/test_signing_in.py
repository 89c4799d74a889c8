"""Signing in, as people do it, in a real browser: set-up, authenticator, wrong passwords, Italian, on a phone."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable
from pathlib import Path

import archives
import pytest
from people_site import PASSWORD, made_site
from playwright.sync_api import Browser, expect

from leadglass.access.totp import totp
from tests.browser.conftest import Visitor, pictures

pytestmark = pytest.mark.interop("chromium")


def app_code(key: str) -> str:
    key = key.replace(" ", "")
    return totp(base64.b32decode(key + "=" * (-len(key) % 8)), int(time.time()) // 30)


def test_from_the_printed_link_to_the_first_page(browser: Browser, tmp_path: Path) -> None:
    site = made_site(tmp_path, people=False, samples=False)
    with archives.served(site.home) as server:
        assert server.process.stdout is not None
        link = next(line.strip() for line in server.process.stdout if "/set-up/" in line)
        page = browser.new_page()
        page.goto(link.replace("127.0.0.1", "localhost"))
        page.get_by_label("Your name, as others read it").fill("Ada Chief")
        page.get_by_label("Account").fill("chief")
        page.get_by_label("New password").fill(PASSWORD)
        page.get_by_label("The same once more").fill(PASSWORD)
        page.screenshot(path=pictures() / "set-up.png", full_page=True)
        page.get_by_role("button", name="Make the account").click()
        page.get_by_label("Code from your authenticator app").fill(app_code(page.locator("code.secret").inner_text()))
        page.get_by_role("button", name="Add it").click()
        page.get_by_role("link", name="I have kept them").click()
        expect(page.get_by_role("button", name="Sign out").first).to_be_visible()
        page.close()


def test_a_clinician_signs_in_and_out(visitor: Callable[..., Visitor]) -> None:
    anna = visitor()
    anna.open("/account")
    anna.picture("sign-in")
    anna.page.get_by_label("Account").fill("rossi")
    anna.page.get_by_label("Password").fill("not this one")
    anna.page.get_by_role("button", name="Sign in").click()
    expect(anna.page.get_by_role("alert")).to_be_visible()
    expect(anna.page.get_by_label("Account")).to_have_value("rossi")
    anna.picture("sign-in-wrong")
    anna.page.get_by_label("Password").fill(PASSWORD)
    anna.page.get_by_role("button", name="Sign in").click()
    expect(anna.page).to_have_url(re.compile("/account$"))
    anna.picture("account")
    anna.page.get_by_role("button", name="Sign out").first.click()
    expect(anna.page).to_have_url(re.compile("/sign-in"))
    anna.open("/account")
    expect(anna.page).to_have_url(re.compile("/sign-in"))


def test_an_authenticator_app_is_added_and_asked_for(visitor: Callable[..., Visitor]) -> None:
    tom = visitor()
    tom.sign_in("tech")
    tom.open("/account")
    tom.page.get_by_role("button", name="Add an authenticator app").click()
    key = tom.page.locator("code.secret").inner_text()
    tom.picture("authenticator")
    tom.page.get_by_label("Code from your authenticator app").fill(app_code(key))
    tom.page.get_by_role("button", name="Add it").click()
    expect(tom.page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    code = tom.page.locator(".codes code").first.inner_text()
    tom.picture("recovery-codes")
    again = visitor()
    again.open("/sign-in")
    again.page.get_by_label("Account").fill("tech")
    again.page.get_by_label("Password").fill(PASSWORD)
    again.page.get_by_role("button", name="Sign in").click()
    again.picture("second-step")
    again.page.get_by_label("Code from your authenticator app").fill(code)
    again.page.get_by_role("button", name="Sign in").click()
    expect(again.page.get_by_role("button", name="Sign out").first).to_be_visible()


def test_italian_on_a_phone(visitor: Callable[..., Visitor]) -> None:
    anna = visitor(phone=True, language="it-IT")
    anna.open("/sign-in")
    expect(anna.page.get_by_role("heading", name="Accedi")).to_be_visible()
    anna.picture("sign-in-phone-it")
    width = anna.page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390


def test_signing_in_works_without_scripts(visitor: Callable[..., Visitor]) -> None:
    anna = visitor(javascript=False)
    anna.sign_in("rossi")
    expect(anna.page.get_by_role("button", name="Sign out").first).to_be_visible()
