"""Every page there is: each area brings its lines. The tests try each with every kind of bad session."""

from __future__ import annotations

from typing import Final

from leadglass.web.pages import account, emergency, home, journal, passkeys, provider, sign_in, static, viewing
from leadglass.web.pages.administration import table as administration
from leadglass.web.pages.page import Entry, Page
from leadglass.web.pages.sharing import mine, practice
from leadglass.web.pages.studies import table as studies

PAGES: Final[tuple[Page, ...]] = (
    Page("GET", "/static/{digest}/{name}", static.static_file, Entry.OPEN),
    Page("GET", "/favicon.ico", static.icon, Entry.OPEN),
    *home.PAGES,
    *viewing.PAGES,
    *studies.PAGES,
    *administration.PAGES,
    *journal.PAGES,
    *sign_in.PAGES,
    *passkeys.PAGES,
    *provider.PAGES,
    *account.PAGES,
    *emergency.PAGES,
    *mine.PAGES,
    *practice.PAGES,
)
