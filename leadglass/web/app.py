"""The ASGI application: guard, authentication, route, right, handler, in this order for every request.

Who is not let in gets the same 401 whatever was asked for: which routes and which studies exist is told to nobody
else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import compile_path
from starlette.types import Receive, Scope, Send

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import Principal
from leadglass.web.bodiless import Bodiless
from leadglass.web.capabilities import ROOTS, capabilities
from leadglass.web.cors import named_origin, preflight, readable
from leadglass.web.doorway import Call, WebDoorway
from leadglass.web.guard import ListenerRules, address_of, origin_of, refused
from leadglass.web.outgoing import Outgoing, Visit
from leadglass.web.problem import problem
from leadglass.web.routes import OPEN, ROUTES, Route
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
        routes: Sequence[Route] = ROUTES,
        traffic: Traffic | None = None,
    ) -> None:
        self._doorway = doorway
        self._rules = rules
        self._ready = ready
        self._routes = _compiled(routes)
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
        try:
            why = refused(self._rules, scope["headers"])
            if why is not None:
                return problem(421, why)
            if scope["path"] in OPEN:
                return self._health(scope["path"])
            origin = named_origin(self._rules, scope["headers"])
            visit.headers += readable(self._rules, origin)
            before = preflight(origin, scope["method"], scope["headers"])
            if before is not None:
                return before
            request = Request(scope, receive)
            principal = await self._principal(request)
            return await self._routed(request, principal, visit)
        except LeadglassError as error:
            if error.code in (ErrorCode.INTERNAL, ErrorCode.DAMAGED):
                log.error("a request failed: %s", error.comment)
            return refusal(error)
        except Exception as error:  # a fault of ours: its text may hold a patient's data, so only its kind is told
            log.error("a request failed: %s", type(error).__name__, exc_info=log.isEnabledFor(logging.DEBUG))
            return refusal(LeadglassError(ErrorCode.INTERNAL, ""))

    async def _principal(self, request: Request) -> Principal:
        client = request.client
        address = address_of(self._rules, client.host if client else "", request.scope["headers"])
        words = request.headers.getlist("authorization")
        # Two of them are none: what stands between might have looked at the other one.
        return await self._doorway.programs.principal(words[0] if len(words) == 1 else "", address)

    async def _routed(self, request: Request, principal: Principal, visit: Visit) -> Response:
        path, method = request.scope["path"], request.method
        wanted = "GET" if method == "HEAD" else method
        if method == "OPTIONS" and path in ROOTS:
            visit.route, visit.method = BASE, method
            visit.lease = self._doorway.quotas.begin(principal, export=False)
            return await capabilities(self._call(request, principal), [route for route, _ in self._routes])
        allowed: list[Route] = []
        for route, match in self._routes:
            found = match(path)
            if found is None:
                continue
            if route.method != wanted:
                allowed.append(route)
                continue
            if not principal.may(route.right):
                raise LeadglassError(ErrorCode.NOT_AUTHORISED, f"This needs the right '{route.right.value}'.")
            visit.route, visit.method = route.path, method
            visit.lease = self._doorway.quotas.begin(principal, export=route.export)
            request.scope["path_params"] = found
            return await route.handler(self._call(request, principal))
        if allowed and method == "OPTIONS":
            return Response(None, 204, {"allow": _methods(route for route in allowed if principal.may(route.right))})
        if allowed:
            methods = _methods(allowed)
            return problem(405, f"This takes {methods}.", {"allow": methods})
        raise LeadglassError(ErrorCode.NOT_FOUND, _NOT_HERE)

    def _call(self, request: Request, principal: Principal) -> Call:
        server = request.scope.get("server")
        origin = origin_of(self._rules, request.scope["headers"], server[1] if server else None)
        return Call(request, principal, self._doorway, origin)

    def _health(self, path: str) -> Response:
        well = path == OPEN[0] or self._ready()
        return PlainTextResponse("ok\n" if well else "not ready\n", 200 if well else 503)


def _methods(routes: Iterable[Route]) -> str:
    methods = {"OPTIONS", *(route.method for route in routes)}
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))


def _compiled(routes: Iterable[Route]) -> list[tuple[Route, Callable[[str], Mapping[str, Any] | None]]]:
    return [(route, _matcher(route.path)) for route in routes]


def _matcher(template: str) -> Callable[[str], Mapping[str, Any] | None]:
    """Whether a path fits `template`, and its parts."""
    pattern, _, _ = compile_path(template)

    def match(path: str) -> Mapping[str, Any] | None:
        found = pattern.match(path)
        return None if found is None else found.groupdict()

    return match


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
