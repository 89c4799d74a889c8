"""What one listener serves: routes for programs, pages for people, and whose cookie counts there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from leadglass.core.sessions import Audience
from leadglass.web.pages.page import Page
from leadglass.web.pages.sharing.stranger import SHARE_PAGES
from leadglass.web.pages.table import PAGES
from leadglass.web.pages.viewer_origin import VIEWER_PAGES
from leadglass.web.route import Route
from leadglass.web.routes import ROUTES
from leadglass.web.shared_routes import SHARED_ROUTES
from leadglass.web.urls import BASE


@dataclass(frozen=True, slots=True)
class Desk:
    """A listener's tables. `audience` says whose sessions get in; `bearers` whether tokens do.

    A `neutral` one stands open to strangers: whoever is not let in is told of everything alike that there is nothing.
    What an `unkept` one answers is kept by no cache and no search engine, but for files that say nothing of anybody.
    """

    routes: tuple[Route, ...]
    pages: tuple[Page, ...]
    audience: Audience
    bearers: bool = False
    neutral: bool = False
    unkept: bool = False


ARCHIVE: Final = Desk(ROUTES, PAGES, Audience.PAGES, bearers=True)
_READING: Final = tuple(route for route in ROUTES if route.method == "GET" and route.path.startswith(BASE))
VIEWER: Final = Desk(_READING, VIEWER_PAGES, Audience.VIEWER, unkept=True)
SHARES: Final = Desk(SHARED_ROUTES, SHARE_PAGES, Audience.SHARE, neutral=True, unkept=True)
DESKS: Final[Mapping[str, Desk]] = {"archive": ARCHIVE, "viewer": VIEWER, "shares": SHARES}
