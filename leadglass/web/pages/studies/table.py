"""Every page about studies."""

from __future__ import annotations

from typing import Final

from leadglass.web.pages.page import Page
from leadglass.web.pages.studies import listing, look, send, study, upload

PAGES: Final[tuple[Page, ...]] = (*listing.PAGES, *study.PAGES, *look.PAGES, *send.PAGES, *upload.PAGES)
