"""From a template and values to an answer. Everything that is put into a page is escaped; no script is inline."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import RedirectResponse, Response

from leadglass.web.pages.page import PageCall
from leadglass.web.pages.showing import day, moment, number, second, size
from leadglass.web.pages.static import static_url
from leadglass.web.pages.words import chosen, languages, said

# Scripts and styles are files of ours; nothing is fetched from elsewhere, nothing is evaluated, nobody frames it.
PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HTML: Final = "text/html; charset=utf-8"


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["static"] = static_url
    made.filters |= {"moment": moment, "second": second, "day": day, "number": number, "size": size}
    made.globals["languages"] = languages()
    return made


def language_of(call: PageCall) -> str:
    """The language that who asks reads."""
    own = call.person.account.language if call.person and not call.person.share else ""
    return chosen(call.request.headers.get("accept-language", ""), own)


def page(
    call: PageCall, template: str, values: Mapping[str, Any] | None = None, *, status: int = 200, policy: str = ""
) -> Response:
    """A page of `template`, which finds `t` (words), `person`, `csrf`, `may` and `static` beside its own `values`."""
    language = language_of(call)
    rights = call.person.principal.rights if call.person else frozenset()
    body = (
        _environment()
        .get_template(template)
        .render(
            **(values or {}),
            t=partial(said, language),
            language=language,
            person=call.person,
            csrf=call.person.csrf if call.person else "",
            may=frozenset(right.value for right in rights),
            path=call.request.url.path,
        )
    )
    headers = {
        "content-security-policy": policy or _policy(call),
        "cache-control": "no-store",
        "vary": "accept-language",
        # Nothing goes to others; with no-referrer a browser would name no origin in its own forms (Fetch, 3.2) either.
        "referrer-policy": "same-origin",
    }
    return Response(body.encode(), status, headers, _HTML)


def _policy(call: PageCall) -> str:
    """The policy of a page; a form of somebody who is signed in may lead on to the viewer, too (Open in OHIF)."""
    viewer = call.doorway.viewer.origin(call.origin) if call.person and not call.person.share and call.origin else ""
    return PAGE_POLICY.replace("form-action 'self'", f"form-action 'self' {viewer}") if viewer else PAGE_POLICY


def seen_other(call: PageCall, path: str) -> Response:
    """Go on at `path`, a path of ours (RFC 9110 15.4.4). htmx is told so too: it would load it into the page."""
    if call.partial:
        return Response(None, 200, {"hx-redirect": path})
    return RedirectResponse(path, 303)


def own_path(text: str, otherwise: str = "/") -> str:
    """`text` if it is a path here, without any host in whatever disguise; else `otherwise`."""
    plain = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable() and "\\" not in text
    return text if plain and text.isascii() and len(text) <= 2048 else otherwise
