"""Every page of the table, as its people see it: WCAG 2.2 AA as axe-core judges it, nothing wider than a phone, in
English and Italian. A page that is added is looked at when it stands in the table.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from people_site import AUDITOR, CHIEF, CLINICIAN, Site
from playwright.sync_api import Page as Shown

from leadglass.core.principal import Right
from leadglass.web.pages.page import Entry, Page
from leadglass.web.pages.table import PAGES
from tests.browser.conftest import Visitor

pytestmark = [pytest.mark.interop("chromium", "axe-core"), pytest.mark.timeout(600)]

AXE = Path(__file__).parents[1] / "interop" / "npm" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
NO_PAGES = (
    "/send/{job}",  # is there as long as its job
    "/static/",
    "/favicon",
    "/export",
    "/authority.pem",
    "/sign-in/provider",
    "/sign-in/passkey",
    "/verification",
)
LOOKED_AT = [page for page in PAGES if page.method == "GET" and not any(part in page.path for part in NO_PAGES)]


def faults(page: Shown) -> list[str]:
    """What axe-core finds, one line for each kind with the first place."""
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("async rules => (await axe.run({runOnly: rules})).violations", RULES)
    return [f"{item['id']}: {item['help']} ({item['nodes'][0]['html'][:160]})" for item in found]


def address(page: Page, site: Site) -> str:
    name = "ct" if page.path.startswith("/administration/devices") else CLINICIAN
    values = {"study": site.study, "series": site.series, "code": "nothing", "name": name}
    query = f"?study={site.study}" if page.path == "/shares/new" else ""
    return re.sub(r"\{(\w+)\}", lambda found: values[found[1]], page.path) + query


def owner(page: Page) -> str:
    """Whose page it is; "" if anybody's."""
    if page.entry is Entry.OPEN:
        return ""
    if page.right is Right.READ_JOURNAL:
        return AUDITOR
    return CLINICIAN if page.right is Right.RETRIEVE else CHIEF


@pytest.mark.parametrize(
    ("phone", "language"), [(False, "en-GB"), (True, "it-IT")], ids=["desktop", "phone in Italian"]
)
@pytest.mark.parametrize("who", ["", CHIEF, CLINICIAN, AUDITOR])
def test_pages_can_be_read_by_everybody(
    visitor: Callable[..., Visitor], site: Site, who: str, phone: bool, language: str
) -> None:
    somebody = visitor(phone=phone, language=language)
    if who:
        somebody.sign_in(who)
    wrong: list[str] = []
    for page in [page for page in LOOKED_AT if owner(page) == who]:
        somebody.open(address(page, site))
        name = re.sub(r"\W+", "-", page.path).strip("-") or "start"
        somebody.picture(f"{name}{'-phone' if phone else ''}")
        wrong += [f"{page.path}: {fault}" for fault in faults(somebody.page)]
        width = somebody.page.evaluate("document.documentElement.scrollWidth")
        shown = somebody.page.evaluate("window.innerWidth")
        wrong += [f"{page.path}: {width} wide"] if width > shown else []
        said = somebody.page.evaluate("document.documentElement.lang")
        assert said == language[:2], page.path
    assert not wrong, "\n".join(wrong)


def test_axe_finds_what_is_wrong(visitor: Callable[..., Visitor]) -> None:
    """That the check above can fail."""
    somebody = visitor()
    somebody.page.set_content("<main><h1>A</h1><img src='x'><input></main>")
    assert any(fault.startswith("image-alt") for fault in faults(somebody.page))
