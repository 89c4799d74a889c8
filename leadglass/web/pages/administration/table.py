"""Every page of the administration."""

from __future__ import annotations

from typing import Final

from leadglass.web.pages.administration import (
    accounts,
    certificates,
    devices,
    grants,
    overview,
    safety,
    storage,
    tokens,
)
from leadglass.web.pages.page import Page

PAGES: Final[tuple[Page, ...]] = (
    *overview.PAGES,
    *accounts.PAGES,
    *devices.PAGES,
    *certificates.PAGES,
    *tokens.PAGES,
    *grants.PAGES,
    *storage.PAGES,
    *safety.PAGES,
)
