"""Whether an HTTP server answers, in plain text or in TLS; what it is, whom it lets read across origins (W00, W06–W08).

Two connections, one of each kind. A viewer or a console is known by a page that it shows to whoever comes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from leadglass.exposure.facts import Answer, Fact, Facts, technical
from leadglass.exposure.http import Http, HttpAnswer, http
from leadglass.exposure.probes import association
from leadglass.exposure.site import Probe, Site
from leadglass.exposure.streams import Reason, Unreachable

_CHECKS = ("W00", "W06", "W07", "W08", "W09", "W10", "W11")
_STRANGE_ORIGIN = "https://audit.invalid"  # a name that nobody can have (RFC 2606)

# A page of the product has these words; each was looked up in the product itself.
_VIEWERS: Mapping[str, re.Pattern[bytes]] = {
    "orthanc-explorer": re.compile(rb"<title>Orthanc Explorer|orthanc-explorer|Orthanc Explorer 2", re.I),
    "ohif": re.compile(rb"<title>OHIF|ohif-viewer|@ohif/", re.I),
    "stone": re.compile(rb"Stone Web viewer|stone-webviewer", re.I),
    "weasis": re.compile(rb"weasis-pacs-connector|<title>Weasis", re.I),
    "dcm4chee": re.compile(rb"<title>dcm4che|dcm4chee-arc2?/ui2|dcm4chee-web", re.I),
}
_CONSOLES: Mapping[str, re.Pattern[bytes]] = {
    "wildfly": re.compile(rb"Welcome to WildFly|HAL Management Console", re.I),
    "keycloak": re.compile(rb"<title>[^<]*Keycloak", re.I),
    "tomcat-manager": re.compile(rb"<title>Apache Tomcat|/manager/html", re.I),
    "dcm4chee-ui": re.compile(rb"dcm4chee-arc2?/ui2", re.I),
}
_LISTING = re.compile(rb"<title>\s*(Index of|Directory listing for)", re.I)
_DICOM_FILE = re.compile(rb'href="[^"]{0,500}(\.dcm|\.dicom|/?DICOMDIR|/?DICOM/|/?IM\d{1,6})"', re.I)
_TITLE = re.compile(rb"<title>([^<]{0,120})</title>", re.I)
_KNOWN_TITLES = re.compile(r"Orthanc Explorer|OHIF|Weasis|dcm4che[\w-]*|Index of|Directory listing|WildFly|Keycloak")


async def _run(site: Site) -> Iterable[Fact]:
    for tls in (False, True):
        try:
            async with http(site, tls=tls) as asking:
                first = await asking.ask("/", headers={"Origin": _STRANGE_ORIGIN})
                return await _looked(site, asking, first, tls=tls)
        except Unreachable as ended:
            if ended.reason in (Reason.STOPPED, Reason.OUT_OF_SCOPE):
                raise
            last = ended
        if site.facts.yes("D01"):
            break  # it speaks DICOM: it need not be asked for more than one way
    if last.reason in (Reason.TIMEOUT, Reason.TOO_MUCH):
        raise last
    return [Fact(check, Answer.NO, "No HTTP server answers.") for check in _CHECKS]


async def _looked(site: Site, asking: Http, first: HttpAnswer, *, tls: bool) -> list[Fact]:
    facts = Facts(_of_the_page(site, first, tls=tls))
    facts.add(Fact(check, Answer.NO, "HTTP is spoken here.") for check in association.CHECKS)
    try:
        await _more_pages(asking, facts)
        facts.add([await _security_txt(asking)])
    except Unreachable as ended:
        if ended.reason is Reason.STOPPED:
            raise
        missing = [check for check in _CHECKS if check not in facts]
        facts.add(Fact(check, Answer.UNKNOWN, "The connection ended before it was asked.") for check in missing)
    return list(facts)


def _of_the_page(site: Site, page: HttpAnswer, *, tls: bool) -> list[Fact]:
    title = _TITLE.search(page.body)
    known = _KNOWN_TITLES.search(title.group(1).decode("latin-1")) if title else None
    values: dict[str, str | int] = {
        "server": technical(page.headers.get("server", "")),
        "status": page.status,
        "tls": tls,
        "title": known.group(0) if known else "",
    }
    # A refusal in plain text asks for a password in plain text: that is W07 as well.
    plain = Answer.NO if tls else Answer.YES
    return [Fact("W00", Answer.YES, "", values), Fact("W07", plain), _cors(page), _listing(page)]


def _cors(page: HttpAnswer) -> Fact:
    allowed = page.headers.get("access-control-allow-origin", "")
    credentials = page.headers.get("access-control-allow-credentials", "").lower() == "true"
    if allowed == "*":
        return Fact("W06", Answer.YES, "", {"origin": "any", "credentials": credentials})
    if allowed == _STRANGE_ORIGIN:
        return Fact("W06", Answer.YES, "", {"origin": "echoed", "credentials": credentials})
    return Fact("W06", Answer.NO)


def _listing(page: HttpAnswer) -> Fact:
    if not page.ok or not _LISTING.search(page.body):
        return Fact("W09", Answer.NO)
    files = sum(1 for _ in _DICOM_FILE.finditer(page.body))
    return Fact("W09", Answer.YES if files else Answer.NO, "", {"files": files, "more": page.truncated})


async def _more_pages(asking: Http, facts: Facts) -> None:
    viewers: list[str] = []
    consoles: list[str] = []
    for path in ("/", "/app/explorer.html", "/viewer", "/dcm4chee-arc/ui2/", "/ui/app/"):
        page = await asking.ask(path)
        if not page.ok:
            continue
        viewers += [name for name, mark in _VIEWERS.items() if mark.search(page.body)]
        consoles += [name for name, mark in _CONSOLES.items() if mark.search(page.body)]
    for check, key, found in (("W08", "viewers", viewers), ("W10", "consoles", consoles)):
        names = tuple(dict.fromkeys(found))
        facts.add([Fact(check, Answer.YES if names else Answer.NO, "", {key: names})])


_CONTACT = re.compile(r"^Contact:\s*((?:mailto:|https://)[\x21-\x7e]{3,180})\s*$", re.I | re.M)


async def _security_txt(asking: Http) -> Fact:
    page = await asking.ask("/.well-known/security.txt")
    if not page.ok or page.media_type != "text/plain":
        return Fact("W11", Answer.NO)
    text = page.body[:32768].decode("utf-8", "replace")
    contacts = tuple(technical(found.group(1)) for found in _CONTACT.finditer(text))[:8]
    return Fact("W11", Answer.YES if contacts else Answer.NO, "", {"contact": contacts})


PROBE = Probe("web", _CHECKS, lambda facts: not facts.yes("D01"), _run)
