"""What an archive tells a stranger by HTTP: DICOMweb, the APIs of Orthanc and dcm4chee-arc (W01–W05).

Searches ask for one study that does not exist; counts are the product's own. Nothing is stored and no image is asked
for. One connection, as long as the server keeps it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from leadglass.exposure.facts import Answer, Fact, Facts, technical
from leadglass.exposure.http import Http, HttpAnswer, http
from leadglass.exposure.site import Probe, Site
from leadglass.exposure.streams import Reason, Unreachable

_CHECKS = ("W01", "W02", "W03", "W04", "W05")
ROOTS = ("/dicom-web", "/dicomweb", "/rs", "/wado-rs", "/api/dicom-web")
_JSON = {"Accept": "application/dicom+json"}
_MAX_AETS = 16


async def _run(site: Site) -> Iterable[Fact]:
    facts = Facts()
    try:
        async with http(site) as asking:
            aets = await _dcm4chee(asking, facts)
            await _orthanc(asking, facts)
            await _dicomweb(site, asking, facts, aets)
    except Unreachable as ended:
        if ended.reason is Reason.STOPPED:
            raise
        missing = [check for check in _CHECKS if check not in facts]
        facts.add(Fact(check, Answer.UNKNOWN, "The connection ended before it was asked.") for check in missing)
    return facts


async def _orthanc(asking: Http, facts: Facts) -> None:
    system = await asking.ask("/system")
    about = system.json() if system.ok else None
    if not isinstance(about, dict) or "ApiVersion" not in about:
        why = "It asks who is there." if system.refused else ""
        facts.add([Fact("W04", Answer.NO, why)])
        return
    values: dict[str, Any] = {"version": technical(str(about.get("Version", "")))}
    if isinstance(about.get("ApiVersion"), int):
        values["api"] = about["ApiVersion"]
    statistics = (await asking.ask("/statistics")).json()
    if isinstance(statistics, dict):
        for name in ("Patients", "Studies", "Series", "Instances"):
            values |= _count(name.lower(), statistics.get(f"Count{name}"))
    plugins = (await asking.ask("/plugins")).json()
    if isinstance(plugins, list):
        values["plugins"] = tuple(technical(name) for name in plugins[:64] if isinstance(name, str))
    if isinstance(about.get("ExecuteLuaEnabled"), bool):  # told since 1.12.9
        values["scripts"] = about["ExecuteLuaEnabled"]
    facts.add([Fact("W04", Answer.YES, "", values)])


async def _dcm4chee(asking: Http, facts: Facts) -> list[str]:
    """W05, and the DICOMweb roots of its application entities."""
    answer = await asking.ask("/dcm4chee-arc/aets")
    told = answer.json() if answer.ok else None
    if not isinstance(told, list):
        facts.add([Fact("W05", Answer.NO, "It asks who is there." if answer.refused else "")])
        return []
    titles = [entry.get("dicomAETitle") for entry in told[:_MAX_AETS] if isinstance(entry, dict)]
    aets = [
        title for title in titles if isinstance(title, str) and title.isascii() and title.replace("_", "").isalnum()
    ]
    values: dict[str, Any] = {"aets": tuple(technical(title) for title in aets)}
    for level in ("patients", "studies", "series", "instances") if aets else ():
        counted = (await asking.ask(f"/dcm4chee-arc/aets/{aets[0]}/rs/{level}/count")).json()
        if isinstance(counted, dict):
            values |= _count(level, counted.get("count"))
    facts.add([Fact("W05", Answer.YES, "", values)])
    return [f"/dcm4chee-arc/aets/{title}/rs" for title in aets[:1]]


async def _dicomweb(site: Site, asking: Http, facts: Facts, more: list[str]) -> None:
    number = int.from_bytes(hashlib.blake2b(site.secret, digest_size=16).digest())
    study = f"2.25.{number}"  # made up, as PS3.5 B.2
    for root in (*more, *ROOTS):
        found = await asking.ask(f"{root}/studies?StudyInstanceUID={study}&limit=1", headers=_JSON)
        if found.refused:
            facts.add(Fact(check, Answer.NO, "It asks who is there.") for check in ("W01", "W02", "W03"))
            return
        if _searched(found):
            facts.add([Fact("W01", Answer.YES, "", {"roots": (root,), "status": found.status})])
            facts.add([await _wado(asking, root, study), await _stow(asking, root)])
            return
    facts.add(Fact(check, Answer.NO, "No DICOMweb service was found.") for check in ("W01", "W02", "W03"))


def _searched(answer: HttpAnswer) -> bool:
    """Whether this is an answer of QIDO-RS (PS3.18 10.6.3): JSON or nothing, never a page for people."""
    if answer.status == 204:
        return True
    return (
        answer.ok
        and answer.media_type in ("application/dicom+json", "application/json")
        and (isinstance(answer.json(), list))
    )


async def _wado(asking: Http, root: str, study: str) -> Fact:
    answer = await asking.ask(f"{root}/studies/{study}/metadata", headers=_JSON)
    looked_for = answer.status in (404, 410) or answer.ok
    return Fact("W02", Answer.YES if looked_for else Answer.NO, "", {"roots": (root,)})


async def _stow(asking: Http, root: str) -> Fact:
    """By what the service says of itself: storing even an empty request could leave a trace in the archive."""
    answer = await asking.ask(f"{root}/studies", method="OPTIONS")
    allowed = {word.strip().upper() for word in answer.headers.get("allow", "").split(",")}
    if not answer.ok or not allowed - {""}:
        return Fact("W03", Answer.UNKNOWN, "The service does not say which methods it allows.")
    return Fact("W03", Answer.YES if "POST" in allowed else Answer.NO, "", {"roots": (root,)})


def _count(name: str, told: Any) -> dict[str, int]:
    """A count as a product tells it: Orthanc's are texts."""
    if isinstance(told, str) and told.isascii() and told.isdigit() and len(told) < 16:
        return {name: int(told)}
    return {name: told} if isinstance(told, int) and not isinstance(told, bool) and told >= 0 else {}


PROBE = Probe("web_archives", _CHECKS, lambda facts: facts.yes("W00"), _run)
