"""What the probes that ask by HTTP share: an answer for each of their checks, whatever the server does."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any, TypeAlias

from leadglass.exposure.facts import Answer, Fact, Facts, technical
from leadglass.exposure.http import Http, http
from leadglass.exposure.http_answer import HttpAnswer
from leadglass.exposure.site import Site
from leadglass.exposure.streams import Reason, Unreachable

STRANGE_ORIGIN = {"Origin": "https://audit.invalid"}  # a name that nobody can have (RFC 2606)
REFUSED = "It asks who is there."
NOT_ABLE = "The server was not able to answer."
ENDED = "The connection ended before it was asked."

_MAX_COUNT = 10**15  # more than there are images; a number of a peer is not to fill a ledger
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,39}")

Ask: TypeAlias = Callable[[Site, Http], AsyncIterator[Fact]]


async def ask_all(site: Site, checks: Sequence[str], ask: Ask, *, connections: int = 4) -> Iterable[Fact]:
    """The facts that `ask` gives; UNKNOWN for `checks` that it did not come to. Raises Unreachable(STOPPED)."""
    facts = Facts()
    async with http(site, connections=connections) as asking:
        try:
            async for fact in ask(site, asking):
                facts.add([stronger(facts.get("W06") or site.facts.get("W06"), fact) if fact.check == "W06" else fact])
        except Unreachable as ended:
            if ended.reason is Reason.STOPPED:
                raise
            facts.add(Fact(check, Answer.UNKNOWN, ENDED) for check in checks if check not in facts)
    return facts


# --- may a page of any origin read it? (W06) -----------------------------------------------------------------------


def cors(answer: HttpAnswer) -> Fact:
    """W06 from an answer to a request with `STRANGE_ORIGIN` (the Fetch standard, CORS protocol).

    An asterisk on a refusal lets nobody read anything; the asking origin echoed does, with a user's password.
    """
    allowed = answer.headers.get("access-control-allow-origin", "").strip()
    credentials = answer.headers.get("access-control-allow-credentials", "").strip().lower() == "true"
    if allowed == STRANGE_ORIGIN["Origin"]:
        return Fact("W06", Answer.YES, "", {"origin": "echoed", "credentials": credentials})
    if allowed == "*" and not answer.refused:
        return Fact("W06", Answer.YES, "", {"origin": "any", "credentials": credentials})
    return Fact("W06", Answer.NO)


def stronger(known: Fact | None, found: Fact) -> Fact:
    """Of two facts about W06 the one that lets a stranger's page do more."""
    return known if known is not None and _strength(known) >= _strength(found) else found


def _strength(fact: Fact) -> int:
    if not fact.yes:
        return 0 if fact.answer is not Answer.NO else 1
    if fact.values.get("origin") == "any":
        return 2
    return 4 if fact.values.get("credentials") else 3


# --- what may be kept of a peer's words ----------------------------------------------------------------------------


def word(told: Any) -> str:
    """A version, a plugin's name: one short word of ASCII, "" if it is none. Free text has no place in a fact."""
    return technical(told) if isinstance(told, str) and _WORD.fullmatch(told) else ""


def count(name: str, told: Any) -> dict[str, int]:
    """A count as a product tells it, some as a text; nothing if it is none."""
    if isinstance(told, str) and told.isascii() and told.isdigit() and len(told) < 16:
        told = int(told)
    plain = isinstance(told, int) and not isinstance(told, bool) and 0 <= told < _MAX_COUNT
    return {name: told} if plain else {}
