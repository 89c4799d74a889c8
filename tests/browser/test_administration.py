"""Administration and journal, as an administrator and an auditor use them, on a desk and on a phone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import archives
import pytest
from people_site import Site, made_site
from playwright.sync_api import expect

from tests.browser.conftest import Visitor

pytestmark = pytest.mark.interop("chromium")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Without images: nothing here looks at them."""
    made = made_site(tmp_path_factory.mktemp("site"), samples=False)
    with archives.served(made.home):
        yield made


AREAS = {
    "overview": "/administration",
    "accounts": "/administration/accounts",
    "account": "/administration/accounts/rossi",
    "account-new": "/administration/new-account",
    "devices": "/administration/devices",
    "device": "/administration/devices/ct",
    "device-new": "/administration/new-device",
    "refused": "/administration/refused",
    "tokens": "/administration/tokens",
    "token-new": "/administration/new-token",
    "grants": "/administration/grants",
    "storage": "/administration/storage",
    "jobs": "/administration/jobs",
    "safety": "/administration/safety",
}


def overflow(visitor: Visitor) -> int:
    """By how many pixels the page is wider than the screen."""
    width: int = visitor.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width


@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
def test_every_page_fits_the_screen(visitor: Callable[..., Visitor], phone: bool) -> None:
    chief = visitor(phone=phone)
    chief.sign_in("chief")
    for name, path in AREAS.items():
        chief.open(path)
        expect(chief.page.get_by_role("heading", level=1)).to_be_visible()
        chief.picture(f"administration-{name}{'-phone' if phone else ''}")
        assert overflow(chief) <= 0, name


@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
def test_the_journal_is_searched_and_verified(visitor: Callable[..., Visitor], phone: bool) -> None:
    olga = visitor(phone=phone)
    olga.sign_in("audit")
    olga.open("/journal")
    olga.page.get_by_label("Text").fill("person-signed-in")
    olga.page.get_by_role("button", name="Search").click()
    expect(olga.page.get_by_text("person-signed-in").first).to_be_visible()
    olga.page.get_by_role("button", name="Verify now").click()
    expect(olga.page.get_by_text("Whole and unchanged")).to_be_visible(timeout=60_000)
    expect(olga.page.get_by_role("button", name="Verify now")).to_be_visible(timeout=60_000)
    olga.picture(f"journal{'-phone' if phone else ''}")
    assert overflow(olga) <= 0
    with olga.page.expect_download() as download:
        olga.page.get_by_role("link", name="CSV").click()
    assert download.value.suggested_filename.endswith(".csv")


def test_a_device_is_enrolled_given_a_key_and_called(visitor: Callable[..., Visitor]) -> None:
    chief = visitor()
    chief.sign_in("chief")
    chief.open("/administration/new-device")
    page = chief.page
    page.get_by_label("Name").fill("mr-1")
    page.get_by_label("AE titles").fill("MR1")
    page.get_by_label("Calls from").fill("10.0.0.0/8")
    page.get_by_role("button", name="Enrol").click()
    expect(page.get_by_role("alert")).to_contain_text("more than 256 IPv4 addresses")
    expect(page.get_by_label("AE titles")).to_have_value("MR1")
    chief.picture("device-form-wrong")
    page.get_by_label("Calls from").fill("127.0.0.1")
    page.get_by_label("Called AE title").fill("MR1")
    page.get_by_label("Host or address").fill("127.0.0.1")
    page.get_by_label("Port").fill("9")
    page.get_by_role("button", name="Enrol").click()
    expect(page.get_by_role("heading", name="mr-1")).to_be_visible()
    page.get_by_role("button", name="Call it").click()
    expect(page.locator("#answer .wrong")).to_be_visible(timeout=60_000)
    page.get_by_text("Make a key and a certificate").click()
    page.get_by_label("Password of the file").fill("a long password")
    page.get_by_label("The same again").fill("a long password")
    page.get_by_role("button", name="Make and show it once").click()
    chief.picture("device-files")
    with page.expect_download() as download:
        page.get_by_role("link", name="Save mr-1.p12").click()
    assert download.value.suggested_filename == "mr-1.p12"
    page.get_by_role("link", name="Done, go on").click()
    expect(page.get_by_text("of this archive's CA")).to_be_visible()
    chief.picture("device-with-certificate")


def test_an_account_and_a_token_are_made_in_italian(visitor: Callable[..., Visitor]) -> None:
    chief = visitor(language="it-IT")
    chief.open("/sign-in")
    chief.page.locator("input[name=name], input[name=account]").first.fill("chief")
    chief.page.locator("input[type=password]").fill("many quiet herons by the pond")
    chief.page.locator("main button").first.click()
    chief.page.wait_for_url(lambda url: "/sign-in" not in url)
    chief.open("/administration/new-account")
    chief.page.get_by_label("Nome per accedere").fill("bianchi")
    chief.page.get_by_label("Chi è").fill("Ugo Bianchi")
    chief.page.get_by_role("button", name="Aggiungi e crea il link").click()
    expect(chief.page.get_by_role("alert")).to_contain_text("Un profilo ha bisogno di un ruolo")
    chief.page.get_by_label("Medico", exact=True).check()
    chief.page.get_by_role("button", name="Aggiungi e crea il link").click()
    expect(chief.page.get_by_label("Link")).to_have_value(re.compile("/enrol/"))
    chief.picture("account-link-italian")
    chief.open("/administration/new-token")
    chief.page.get_by_label("Nome", exact=True).fill("router")
    chief.page.get_by_label("Archiviare").check()
    chief.page.get_by_role("button", name="Emetti").click()
    expect(chief.page.get_by_label("Token", exact=True)).to_have_value(re.compile("^lg_"))
    chief.page.get_by_role("button", name="Copia").click()
    expect(chief.page.get_by_text("Copiato.")).to_be_visible()
    chief.picture("token-italian")
    for name in ("overview", "device", "safety", "storage"):
        chief.open(AREAS[name])
        chief.picture(f"administration-{name}-italian")
