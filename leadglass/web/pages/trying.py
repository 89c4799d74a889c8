"""Doing what a form asks: what a use case refuses is said beside the form, which keeps what was typed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from starlette.concurrency import run_in_threadpool

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.web.pages.page import PageCall
from leadglass.web.pages.rendering import language_of
from leadglass.web.pages.words import ENGLISH, catalogue

UNPROCESSABLE: Final = 422  # the form as it is, and what is wrong with it
_SENTENCES: Final = "sentences."  # words/*/sentences.toml: what use cases say of forms
# What the person at the form can mend; everything else is a page of its own.
_MENDABLE: Final = frozenset(
    {ErrorCode.USAGE, ErrorCode.UNSAFE, ErrorCode.UNPARSABLE, ErrorCode.INVALID_UID, ErrorCode.UNAVAILABLE}
)

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
    english = catalogue(ENGLISH)
    key = next((key for key, text in english.items() if key.startswith(_SENTENCES) and text == sentence), "")
    return catalogue(language_of(call))[key] if key else sentence
