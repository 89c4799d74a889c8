"""Doing what a form asks: what a use case refuses is said beside the form, which keeps what was typed."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Final, TypeVar

from starlette.concurrency import run_in_threadpool

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.web.pages.page import PageCall
from leadglass.web.pages.rendering import language_of
from leadglass.web.pages.words import ENGLISH, catalogue, said

UNPROCESSABLE: Final = 422  # the form as it is, and what is wrong with it
_SENTENCES: Final = "sentences."  # words/*/sentences.toml: what use cases say of forms
# What the person at the form can mend; everything else is a page of its own.
_MENDABLE: Final = frozenset(
    {ErrorCode.USAGE, ErrorCode.UNSAFE, ErrorCode.UNPARSABLE, ErrorCode.INVALID_UID, ErrorCode.UNAVAILABLE}
)
_PLACE: Final = re.compile(r"\\\{(\w+)\\\}")

Result = TypeVar("Result")


class Wrong(Exception):  # noqa: N818 - what is wrong with a form
    """What a form asks cannot be done; the text says why, in the language of who reads."""


async def tried(call: PageCall, work: Callable[[], Result]) -> Result:
    """What `work` gives, off the event loop. Wrong if the person can mend it; LeadglassError otherwise."""
    try:
        return await run_in_threadpool(work)
    except LeadglassError as error:
        if error.code not in _MENDABLE:
            raise
        raise Wrong(in_words(call, error.comment)) from None


def in_words(call: PageCall, comment: str) -> str:
    """What a use case says, sentence by sentence in the language of who reads; as it is where one is not known."""
    language, rest, known = language_of(call), comment, []
    while rest:
        found = next(((key, hit) for key, pattern in _patterns() if (hit := pattern.match(rest))), None)
        if found is None:
            return comment
        key, hit = found
        known.append(said(language, key, **hit.groupdict()))
        rest = rest[hit.end() :]
    return " ".join(known)


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """The English sentences by key; a place in one takes whatever stands there."""
    return tuple(
        (key, re.compile(_PLACE.sub(r"(?P<\1>.{1,200}?)", re.escape(text)) + r"(?: |$)"))
        for key, text in catalogue(ENGLISH).items()
        if key.startswith(_SENTENCES)
    )
