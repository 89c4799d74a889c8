"""Sharing in a real browser: a link is made, a stranger opens it on a phone, it is locked and taken back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visitor

pytestmark = pytest.mark.interop("chromium")


def shared(sharer: Visitor, *, download: bool = False) -> tuple[str, str]:
    """Link and passcode of a new share of the clinician's study."""
    sharer.open(f"/shares/new?study={sharer.site.study}")
    sharer.page.get_by_label("For whom").fill("Dr. Verdi, Studio Est")
    if download:
        sharer.page.get_by_label("The recipient may download").check()
    sharer.picture("share-new")
    sharer.page.get_by_role("button", name="Make the link").click()
    link = sharer.page.get_by_label("Link", exact=True).input_value()
    passcode = sharer.page.get_by_label("Passcode", exact=True).input_value()
    assert link.startswith(sharer.site.shares + "/s/")
    return link, passcode


def enter(stranger: Visitor, link: str, passcode: str) -> None:
    stranger.page.goto(link)
    stranger.page.locator("#passcode").fill(passcode)
    stranger.page.get_by_role("button").click()
    stranger.page.wait_for_load_state("networkidle")


def test_a_stranger_opens_a_share_on_a_phone_and_it_is_taken_back(visitor: Callable[..., Visitor]) -> None:
    sharer, stranger = visitor(), visitor(phone=True)
    sharer.sign_in("rossi")
    link, passcode = shared(sharer, download=True)
    sharer.picture("share-made")
    stranger.page.goto(link)
    stranger.picture("share-door-phone")
    enter(stranger, link, passcode.lower())
    expect(stranger.page).to_have_url(f"{stranger.site.shares}/shared")
    stranger.picture("share-studies-phone")
    stranger.page.locator("a.tile").first.click()
    stranger.picture("share-study-phone")
    with stranger.page.expect_download() as download:
        stranger.page.get_by_role("link", name="Download as DICOM").click()
    assert download.value.suggested_filename == "dicom.zip"
    stranger.page.locator("a.tile").first.click()
    stranger.page.wait_for_load_state("networkidle")
    width = "document.getElementById('picture').naturalWidth"
    stranger.page.wait_for_function(f"{width} > 0")
    stranger.picture("share-look-phone")
    sharer.open("/shares")
    expect(sharer.page.get_by_text("127.0.0.1").first).to_be_visible()
    sharer.picture("share-list")
    sharer.page.get_by_role("button", name="Take back").first.click()
    expect(sharer.page.get_by_text("It shows nothing any more")).to_be_visible()
    stranger.page.reload()
    expect(stranger.page.get_by_role("heading", name="Nothing is shown here")).to_be_visible()
    stranger.picture("share-revoked-phone")
    enter(stranger, link, passcode)
    expect(stranger.page.get_by_role("alert")).to_contain_text("taken back")


def test_wrong_passcodes_lock_a_share_and_its_sharer_is_told_at_the_start(visitor: Callable[..., Visitor]) -> None:
    sharer, stranger = visitor(phone=True), visitor(language="it-IT")
    sharer.sign_in("rossi")
    link, passcode = shared(sharer)
    for _ in range(10):
        enter(stranger, link, "3333-3333-3333")
        expect(stranger.page.get_by_role("alert")).to_contain_text("non è giusto")
    stranger.picture("share-wrong-italian")
    enter(stranger, link, passcode)
    expect(stranger.page.get_by_role("alert")).to_contain_text("bloccata")
    sharer.open("/")
    expect(sharer.page.get_by_role("heading", name="A share was locked")).to_be_visible()
    sharer.picture("share-locked-phone")
    sharer.page.get_by_role("link", name="Look at it").click()
    sharer.picture("share-list-locked-phone")
