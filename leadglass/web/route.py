"""What a route is: a line of a table, and nothing is reachable that is in none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from starlette.responses import Response

from leadglass.core.principal import Right
from leadglass.web.doorway import Call

Handler: TypeAlias = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path (Starlette's template), the right without which nobody gets in, and who answers.

    `query` is what a request names in its query string, where a study can be named there: a template as the path is.
    `export` says that many instances leave at once, of which a principal may have so many under way.
    """

    method: str
    path: str
    right: Right
    handler: Handler
    query: str = ""
    export: bool = False
