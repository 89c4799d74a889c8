"""The ASGI application: guard, authentication, route, right, handler, in this order for every request.

Who is not let in gets the same 401 whatever was asked for (a browser: the way to sign in): which routes and which
studies exist is told to nobody else. Only pages that say so are open.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import Principal
from leadglass.services.sessions import Person
from leadglass.web.bodiless import Bodiless
from leadglass.web.browser import CSRF_HEADER, SAFE, cookie_of, require_csrf, require_own_page
from leadglass.web.capabilities import ROOTS, capabilities
from leadglass.web.cors import named_origin, preflight, readable
from leadglass.web.desk import ARCHIVE, Desk
from leadglass.web.doorway import Call, WebDoorway
from leadglass.web.guard import ListenerRules, address_of, origin_of, refused
from leadglass.web.outgoing import UNKEPT, Outgoing, Visit
from leadglass.web.pages.answering import Pages
from leadglass.web.paths import Table
from leadglass.web.problem import problem
from leadglass.web.route import Route
from leadglass.web.routes import OPEN
from leadglass.web.statuses import refusal
from leadglass.web.traffic import Traffic
from leadglass.web.urls import BASE

log = logging.getLogger(__name__)

_NOT_HERE: Final = "There is nothing here."


class WebDoor:
    """One listener's application (ASGI 3). `ready` tells /readyz whether the archive can answer."""

    def __init__(
        self,
        doorway: WebDoorway,
        rules: ListenerRules,
        ready: Callable[[], bool],
        desk: Desk = ARCHIVE,
        traffic: Traffic | None = None,
    ) -> None:
        self._doorway = doorway
        self._rules = rules
        self._ready = ready
        self._desk = desk
        self._routes = Table(desk.routes)
        self._pages = Pages(doorway, desk.pages, neutral=desk.neutral)
        self.traffic = traffic or Traffic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the server's start and stop."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            visit = self.traffic.begin()
            try:
                response = await self._answer(scope, receive, visit)
                if scope["method"] == "HEAD":
                    response = Bodiless(response)
                await response(scope, receive, Outgoing(send, visit))
            finally:
                self.traffic.end(visit)

    async def _answer(self, scope: Scope, receive: Receive, visit: Visit) -> Response:
        request = Request(scope, receive)
        try:
            return await self._admitted(request, visit)
        except LeadglassError as error:
            if error.code in (ErrorCode.INTERNAL, ErrorCode.DAMAGED):
                log.error("a request failed: %s", error.comment)
            return self._pages.refusal(request, error) or refusal(error)
        except Exception as error:  # a fault of ours: its text may hold a patient's data, so only its kind is told
            log.error("a request failed: %s", type(error).__name__, exc_info=log.isEnabledFor(logging.DEBUG))
            inner = LeadglassError(ErrorCode.INTERNAL, "")
            return self._pages.refusal(request, inner) or refusal(inner)

    async def _admitted(self, request: Request, visit: Visit) -> Response:
        scope, headers = request.scope, request.scope["headers"]
        why = refused(self._rules, headers, scope.get("http_version", "1.1"))
        if why is not None:
            return problem(421, why)
        if self._desk.unkept:
            visit.headers += UNKEPT
        if scope["path"] in OPEN and not self._desk.neutral:
            return self._health(scope["path"])
        origin = named_origin(self._rules, headers)
        visit.headers += readable(self._rules, origin)
        before = preflight(origin, scope["method"], headers)
        if before is not None:
            return before
        client = request.client
        address = address_of(self._rules, client.host if client else "", headers)
        words = request.headers.getlist("authorization")
        if words and self._desk.bearers:
            # Two of them are none: what stands between might have looked at the other one.
            principal = await self._doorway.programs.principal(words[0] if len(words) == 1 else "", address)
            return await self._routed(request, principal, visit)
        return await self._browsed(request, address, visit)

    async def _browsed(self, request: Request, address: str, visit: Visit) -> Response:
        """For who shows no token: the pages, and the routes by a session's cookie."""
        person, origin = self._person(request, address), self._origin(request)
        request.state.person = person  # whose page a refusal is shown on
        answer = await self._pages.answer(request, person, address, origin, visit)
        if answer is not None:
            return answer
        if person is None and self._desk.neutral:
            raise LeadglassError(ErrorCode.NOT_FOUND, _NOT_HERE)
        if person is None:
            principal = await self._doorway.programs.principal("", address)  # the refusal that everybody gets
            return await self._routed(request, principal, visit)
        if request.method not in SAFE:
            require_own_page(request, origin)
            require_csrf(person.csrf, request.headers.get(CSRF_HEADER, ""))
        return await self._routed(request, person.principal, visit, person)

    def _person(self, request: Request, address: str) -> Person | None:
        cookie = cookie_of(request, self._desk.audience)
        return self._doorway.sessions.person(cookie, self._desk.audience, address) if cookie else None

    def _origin(self, request: Request) -> str:
        server = request.scope.get("server")
        return origin_of(self._rules, request.scope["headers"], server[1] if server else None)

    async def _routed(
        self, request: Request, principal: Principal, visit: Visit, person: Person | None = None
    ) -> Response:
        method = request.method
        wanted = "GET" if method == "HEAD" else method
        call = Call(request, principal, self._doorway, self._origin(request), person)
        if method == "OPTIONS" and self._desk.neutral:
            raise LeadglassError(ErrorCode.NOT_FOUND, _NOT_HERE)
        if method == "OPTIONS" and request.scope["path"] in ROOTS:
            visit.route, visit.method = BASE, method
            visit.lease = self._doorway.quotas.begin(principal, export=False)
            return await capabilities(call, self._desk.routes)
        allowed: list[Route] = []
        for route, found in self._routes.at(request.scope["path"]):
            if route.method != wanted:
                allowed.append(route)
                continue
            if not principal.may(route.right):
                raise LeadglassError(ErrorCode.NOT_AUTHORISED, f"This needs the right '{route.right.value}'.")
            visit.route, visit.method = route.path, method
            visit.lease = self._doorway.quotas.begin(principal, export=route.export)
            request.scope["path_params"] = found
            return await route.handler(replace(call, lease=visit.lease))
        if allowed and method == "OPTIONS":
            return Response(None, 204, {"allow": _methods(route for route in allowed if principal.may(route.right))})
        if allowed:
            methods = _methods(allowed)
            return problem(405, f"This takes {methods}.", {"allow": methods})
        raise LeadglassError(ErrorCode.NOT_FOUND, _NOT_HERE)

    def _health(self, path: str) -> Response:
        well = path == OPEN[0] or self._ready()
        return PlainTextResponse("ok\n" if well else "not ready\n", 200 if well else 503)


def _methods(routes: Iterable[Route]) -> str:
    methods = {"OPTIONS", *(route.method for route in routes)}
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
