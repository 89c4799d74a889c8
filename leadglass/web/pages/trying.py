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


def in_words(call: PageCall, sentence: str) -> str:
    """A use case's sentence in the language of who reads, where there is one; else as it is."""
    for key, pattern in _patterns():
        found = pattern.fullmatch(sentence)
        if found is not None:
            return said(language_of(call), key, **found.groupdict())
    return sentence


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """The English sentences by key; a place in one takes whatever stands there."""
    return tuple(
        (key, re.compile(_PLACE.sub(r"(?P<\1>.{1,200}?)", re.escape(text))))
        for key, text in catalogue(ENGLISH).items()
        if key.startswith(_SENTENCES)
    )
