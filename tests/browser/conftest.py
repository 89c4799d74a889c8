"""A served archive with people and sample studies, and Chromium to look at it.

Pictures go to build/pictures, for whoever wants to look at what a build shows.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import archives
import pytest
from people_site import PASSWORD, Site, made_site
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

PICTURES = Path(__file__).parents[2] / "build" / "pictures"
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}


@pytest.fixture(
    scope="module"
)  # no longer: while Playwright runs, its loop is that of the thread, and async tests fail
def browser() -> Iterator[Browser]:
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium_path(), args=sandbox)
        yield started
        started.close()


def pictures() -> Path:
    """The folder of pictures."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    return PICTURES


def chromium_path() -> str:
    return next(str(path) for path in (Path("/usr/bin/chromium"), Path("/usr/bin/chromium-browser")) if path.exists())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = made_site(tmp_path_factory.mktemp("site"))
    with archives.served(made.home):
        yield made


@dataclass
class Visitor:
    """Somebody at a browser."""

    page: Page
    site: Site

    def open(self, path: str) -> None:
        """Go to a path of the archive."""
        self.page.goto(self.site.origin + path)

    def sign_in(self, name: str) -> None:
        """By the form, with the password."""
        self.open("/sign-in")
        self.page.locator("#name").fill(name)
        self.page.locator("#password").fill(PASSWORD)
        self.page.locator("#password").press("Enter")
        self.page.wait_for_url(lambda url: "/sign-in" not in url)

    def picture(self, name: str) -> None:
        """Keep a picture of the whole page."""
        self.page.wait_for_load_state("networkidle")
        self.page.screenshot(path=pictures() / f"{name}.png", full_page=True)


@pytest.fixture
def visitor(browser: Browser, site: Site) -> Iterator[Callable[..., Visitor]]:
    """Makes visitors, each with a browser profile of its own; what goes wrong in their pages fails the test."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def make(*, phone: bool = False, language: str = "en-GB", javascript: bool = True, **more: object) -> Visitor:
        context = browser.new_context(
            viewport=PHONE if phone else DESKTOP,  # type: ignore[arg-type]
            locale=language,
            is_mobile=phone,
            has_touch=phone,
            java_script_enabled=javascript,
            color_scheme="dark",
            **more,  # type: ignore[arg-type]
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(f"{page.url}: {error}"))
        page.on("console", lambda line: faults.append(f"{page.url}: {line.text}") if is_fault(line.text) else None)
        return Visitor(page, site)

    yield make
    for context in contexts:
        context.close()
    assert not faults


def is_fault(text: str) -> bool:
    """Whether a line of the console tells of something that a page of ours must not do."""
    return "Content Security Policy" in text or "Uncaught" in text
