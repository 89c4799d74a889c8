"""What the area's pages share: its services, and what was done: a word of a fixed list travels, never a text."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from leadglass.web.pages.page import Form, PageCall
from leadglass.web.pages.rendering import language_of, seen_other
from leadglass.web.pages.words import catalogue, said

_DONE: Final = "administration.done."


def go_on(call: PageCall, path: str, word: str) -> Response:
    """To `path`, saying there what `word` stands for."""
    return seen_other(call, f"{path}?done={word}")


def said_of(call: PageCall) -> str:
    """The sentence for what was done before, "" if nothing is to be said."""
    key, language = _DONE + call.request.query_params.get("done", ""), language_of(call)
    return said(language, key) if key in catalogue(language) else ""


def lines(form: Form, name: str) -> tuple[str, ...]:
    """The lines of a field that holds one thing a line."""
    return tuple(line.strip() for line in form.text(name).splitlines() if line.strip())
