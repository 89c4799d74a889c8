"""Whether an HTTP server answers, in plain text or in TLS (W00, W07), and whom its first page lets read it (W06).

At most two connections, one of each kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from leadglass.exposure.facts import Answer, Fact, technical
from leadglass.exposure.http import Http, NotReadable, http
from leadglass.exposure.http_answer import HttpAnswer
from leadglass.exposure.probes import association
from leadglass.exposure.redirects import behind
from leadglass.exposure.site import Probe, Site
from leadglass.exposure.streams import Reason, Unreachable
from leadglass.exposure.web_asking import STRANGE_ORIGIN, cors

_CHECKS = ("W00", "W06", "W07")
_NOT_HTTP = (Reason.RESET, Reason.TLS)  # every other end says nothing of what it is
_ENDS = (Reason.STOPPED, Reason.OUT_OF_SCOPE)

# `product/version` of a Server header (RFC 9110 10.2.4); comments and other words are left out.
_PRODUCT = re.compile(r"[A-Za-z][\w.+-]{0,39}(?:/[\w.+-]{1,39})?", re.ASCII)
_TITLE = re.compile(rb"<title[^>]{0,80}>([^<]{0,120})</title>", re.I)
_KNOWN_TITLES = re.compile(
    r"Orthanc Explorer|Stone Web Viewer|OHIF|Weasis|Oviyam|dcm4che[\w-]*|MedDream|Index of|Directory listing"
    r"|Apache Tomcat|WildFly|JBoss|Keycloak",
    re.I,
)


async def _run(site: Site) -> Iterable[Fact]:
    plain: list[Fact] | Reason = await _first_page(site, tls=False)
    if isinstance(plain, list) and plain[0].values.get("status") != 400:
        return plain
    # Nothing in plain text, or what a server of TLS says to plain text: 400 (Apache, nginx, Go).
    secured = await _first_page(site, tls=True)
    for facts in (secured, plain):
        if isinstance(facts, list):
            return facts
    for reason in (plain, secured):
        if isinstance(reason, Reason) and reason not in _NOT_HTTP:
            raise Unreachable(reason)
    return [Fact(check, Answer.NO, "No HTTP server answers.") for check in _CHECKS]


async def _first_page(site: Site, *, tls: bool) -> list[Fact] | Reason:
    """What its first page tells, or why there is none. Raises Unreachable if nothing more may be asked at all."""
    try:
        async with http(site, tls=tls, connections=1) as asking:
            first = await asking.ask("/", headers=STRANGE_ORIGIN)
            return _told(first, await _behind(site, asking, first), tls=tls)
    except NotReadable:
        return _spoken({"server": "", "status": 0, "tls": tls, "title": ""}, Answer.UNKNOWN, "It cannot be read.")
    except Unreachable as ended:
        if ended.reason in _ENDS:
            raise
        return ended.reason


async def _behind(site: Site, asking: Http, first: HttpAnswer) -> HttpAnswer:
    """The page to which the first one redirects, for its title; the first one if it does not."""
    try:
        return await behind(site, asking, "/", first, STRANGE_ORIGIN)
    except Unreachable as ended:
        if ended.reason in _ENDS:
            raise
        return first


def _told(first: HttpAnswer, shown: HttpAnswer, *, tls: bool) -> list[Fact]:
    values: dict[str, str | int] = {
        "server": server_of(first),
        "status": first.status,
        "tls": tls,
        "title": _title(shown),
    }
    return [*_spoken(values), cors(shown)]


def _spoken(values: dict[str, str | int], origins: Answer = Answer.NO, why: str = "") -> list[Fact]:
    """That HTTP is spoken, whatever it says. A refusal in plain text asks for a password in it: that is W07 as well."""
    facts = [Fact(check, Answer.NO, "HTTP is spoken here.") for check in association.CHECKS]
    plain = Answer.NO if values["tls"] else Answer.YES
    return [Fact("W00", Answer.YES, why, values), Fact("W07", plain), Fact("W06", origins, why), *facts]


def server_of(answer: HttpAnswer) -> str:
    """Products and versions of the Server header, without its comments."""
    told = re.sub(r"\([^()]{0,200}\)", " ", answer.headers.get("server", "")[:400])
    return technical(" ".join(word for word in told.split()[:4] if _PRODUCT.fullmatch(word)))


def _title(answer: HttpAnswer) -> str:
    """The known words of a page's title; others may be anybody's and are not kept."""
    title = _TITLE.search(answer.body)
    known = _KNOWN_TITLES.search(title.group(1).decode("latin-1")) if title else None
    return known.group(0) if known else ""


PROBE = Probe("web", _CHECKS, lambda facts: not facts.yes("D01"), _run)
