"""Pages that are shown to whoever comes: viewers, listings of files, consoles, security.txt (W08, W09, W10, W11)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from leadglass.exposure.facts import Answer, Fact
from leadglass.exposure.http import Http
from leadglass.exposure.http_answer import HttpAnswer
from leadglass.exposure.pages import consoles, security_txt, viewers
from leadglass.exposure.pages.listing import listing
from leadglass.exposure.redirects import page
from leadglass.exposure.site import Probe, Site
from leadglass.exposure.web_asking import NOT_ABLE, REFUSED, ask_all

_CHECKS = ("W08", "W09", "W10", "W11")
_CONNECTIONS = 24  # for servers that close after each answer
_ONE_DOOR = 3  # pages that are refused before no more are asked for
_MAX_DEPTH = 3  # folders that are looked into, one in the other


async def _run(site: Site) -> Iterable[Fact]:
    return await ask_all(site, _CHECKS, _ask, connections=_CONNECTIONS)


async def _ask(site: Site, asking: Http) -> AsyncIterator[Fact]:
    first = await page(site, asking, "/")
    yield await _listed(asking, first)
    yield await _security_txt(asking)
    shown = [first]
    await _show(site, asking, viewers.PATHS[1:], shown)
    yield _named("W08", "viewers", [name for answer in shown for name in viewers.viewers(answer)], shown)
    await _show(site, asking, consoles.PATHS, shown)
    yield _named("W10", "consoles", [name for answer in shown for name in consoles.consoles(answer)], shown)


async def _show(site: Site, asking: Http, paths: tuple[str, ...], shown: list[HttpAnswer]) -> None:
    """Ask for these pages too, unless everything is behind one door: knocking again and again is not gentle.

    One refusal is no door: many servers refuse the first page only, for want of an index.
    """
    for path in paths:
        if len(shown) >= _ONE_DOOR and all(answer.refused for answer in shown[:_ONE_DOOR]):
            return
        shown.append(await page(site, asking, path))


def _named(check: str, key: str, found: list[str], shown: list[HttpAnswer]) -> Fact:
    names = tuple(dict.fromkeys(found))
    if names:
        return Fact(check, Answer.YES, "", {key: names})
    if all(answer.not_able for answer in shown):
        return Fact(check, Answer.UNKNOWN, NOT_ABLE)
    return Fact(check, Answer.NO, REFUSED if shown[0].refused else "", {key: ()})


async def _listed(asking: Http, first: HttpAnswer) -> Fact:
    """The listing of the first page, and of at most three folders below it. Names are counted and dropped."""
    found = listing(first)
    if found is None:
        return Fact("W09", Answer.NO, REFUSED if first.refused else "")
    files, path = found.files, "/"
    for _ in range(_MAX_DEPTH):
        if found is None or not found.down or files:
            break
        path += found.down + "/"
        found = listing(await asking.ask(path))
        files += found.files if found is not None else 0
    more = found is not None and found.more
    return Fact("W09", Answer.YES if files else Answer.NO, "", {"files": files, "more": more})


async def _security_txt(asking: Http) -> Fact:
    for path in security_txt.PATHS:
        fact = security_txt.told(await asking.ask(path))
        if fact is not None:
            return fact
    return Fact("W11", Answer.NO)


PROBE = Probe("pages", _CHECKS, lambda facts: facts.yes("W00"), _run)
