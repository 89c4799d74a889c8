"""What the API of dcm4chee-arc tells a stranger: its application entities, and counts that are its own (W05, M01)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from typing import Any

from leadglass.exposure.facts import Answer, Fact
from leadglass.exposure.http import Http
from leadglass.exposure.site import Probe, Site
from leadglass.exposure.web_asking import NOT_ABLE, REFUSED, STRANGE_ORIGIN, ask_all, cors, count

_CHECKS = ("W05",)
_MAX_TITLES = 16
_MAX_ASKED = 3  # entities whose counts are asked for until one tells them
_USUAL = "DCM4CHEE"
_LEVELS = ("studies", "patients", "series", "instances")
_TITLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,15}")  # an AE title that may stand in a path


async def _run(site: Site) -> Iterable[Fact]:
    return await ask_all(site, _CHECKS, _ask)


async def _ask(site: Site, asking: Http) -> AsyncIterator[Fact]:
    answer = await asking.ask("/dcm4chee-arc/aets", headers=STRANGE_ORIGIN)
    titles = titles_of(answer.json()) if answer.ok else None
    if titles is None:
        if answer.not_able:
            yield Fact("W05", Answer.UNKNOWN, NOT_ABLE)
        else:
            yield Fact("W05", Answer.NO, REFUSED if answer.refused else "It is not the interface of dcm4chee-arc.")
        return
    values: dict[str, Any] = {"aets": titles}
    yield Fact("W05", Answer.YES, "", values)
    yield cors(answer)
    if not site.facts.yes("M01"):
        yield Fact("M01", Answer.YES, "", {"product": "dcm4che", "evidence": ("rest-api",)})
    values |= await _counted(asking, titles)
    yield Fact("W05", Answer.YES, "", values)


def titles_of(told: Any) -> tuple[str, ...] | None:
    """AE titles of a list of application entities, the usual one first; None if this is no such list."""
    if not isinstance(told, list) or not told or not all(isinstance(entry, dict) for entry in told):
        return None
    if not any("dicomAETitle" in entry for entry in told):
        return None
    found = [title for entry in told if isinstance(title := entry.get("dicomAETitle"), str) and _TITLE.fullmatch(title)]
    return tuple(sorted(dict.fromkeys(found), key=lambda title: title != _USUAL)[:_MAX_TITLES])


async def _counted(asking: Http, titles: tuple[str, ...]) -> dict[str, int]:
    """The counts of the first entity that tells how many studies it shows. They are views of one archive."""
    for title in titles[:_MAX_ASKED]:
        values: dict[str, int] = {}
        for level in _LEVELS:
            told = await asking.ask(f"/dcm4chee-arc/aets/{title}/rs/{level}/count")
            about = told.json() if told.ok else None
            values |= count(level, about.get("count")) if isinstance(about, dict) else {}
            if "studies" not in values:
                break
        if values:
            return values
    return {}


PROBE = Probe("dcm4chee", _CHECKS, lambda facts: facts.yes("W00"), _run)
