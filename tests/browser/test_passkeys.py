"""Passkeys in a real browser with a virtual authenticator: added, signed in with, a fresh proof."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import archives
import pytest
from people_site import Site, made_site
from playwright.sync_api import expect

from tests.browser.conftest import Visitor

pytestmark = pytest.mark.interop("chromium")

AUTHENTICATOR = {
    "protocol": "ctap2",
    "ctap2Version": "ctap2_1",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Without studies: nobody looks at any here."""
    made = made_site(tmp_path_factory.mktemp("site"), samples=False)
    with archives.served(made.home):
        yield made


def with_authenticator(visitor: Visitor) -> Callable[[bool], None]:
    """Put an authenticator into the browser; what is returned says whether it verifies its user."""
    session = visitor.page.context.new_cdp_session(visitor.page)
    session.send("WebAuthn.enable")
    made = session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})

    def verifies(verified: bool) -> None:
        identifier = made["authenticatorId"]
        session.send("WebAuthn.setUserVerified", {"authenticatorId": identifier, "isUserVerified": verified})

    return verifies


def test_a_passkey_is_added_and_signs_in_alone(visitor: Callable[..., Visitor]) -> None:
    anna = visitor()
    verifies = with_authenticator(anna)
    anna.sign_in("rossi")
    anna.open("/account")
    anna.page.get_by_role("button", name="Add a passkey").click()
    anna.page.get_by_label("What it is called").fill("blue key")
    anna.picture("passkey-new")
    anna.page.get_by_role("button", name="Make the passkey").click()
    expect(anna.page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    anna.open("/account")
    expect(anna.page.get_by_text("blue key").first).to_be_visible()
    anna.picture("account-with-passkey")
    anna.page.get_by_role("button", name="Sign out").first.click()

    anna.open("/sign-in?next=/account")
    anna.picture("sign-in-with-passkey")
    verifies(False)
    anna.page.get_by_role("button", name="Use a passkey").click()
    expect(anna.page.get_by_text("That did not work")).to_be_visible()
    verifies(True)
    anna.page.get_by_role("button", name="Use a passkey").click()
    expect(anna.page).to_have_url(re.compile("/account$"))

    anna.open("/confirm?next=/account/password")
    anna.page.get_by_role("button", name="Use a passkey").click()
    expect(anna.page).to_have_url(re.compile("/account/password$"))
    anna.page.get_by_role("button", name="Sign out").first.click()

    anna.open("/sign-in")
    anna.page.get_by_label("Account").fill("rossi")
    anna.page.get_by_label("Password").fill("many quiet herons by the pond")
    anna.page.get_by_role("button", name="Sign in").click()
    anna.picture("second-step-passkey")
    anna.page.get_by_role("button", name="Use a passkey").click()
    expect(anna.page.get_by_role("button", name="Sign out").first).to_be_visible()


def test_without_passkeys_in_the_browser_nothing_is_offered(visitor: Callable[..., Visitor]) -> None:
    plain = visitor(javascript=False)
    plain.open("/sign-in")
    expect(plain.page.get_by_role("button", name="Use a passkey")).to_have_count(0)
    plain.open("/sign-in/passkey/new")
    expect(plain.page.get_by_text("There are no passkeys here")).to_be_visible()
