"""Every page of the administration."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from leadglass.core.principal import Right
from leadglass.web.pages.administration import accounts, grants, tokens
from leadglass.web.pages.page import Page, PageCall
from leadglass.web.pages.rendering import seen_other


async def start(call: PageCall) -> Response:
    """GET /administration."""
    return seen_other(call, accounts.HERE)


PAGES: Final[tuple[Page, ...]] = (
    Page("GET", "/administration", start, right=Right.ADMINISTER),
    *accounts.PAGES,
    *tokens.PAGES,
    *grants.PAGES,
)
