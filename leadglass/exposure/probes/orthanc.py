"""What Orthanc's REST API tells a stranger: version, counts, plugins, whether it would take objects (W04, W03, M01).

Counts are Orthanc's own. Nothing is stored: a GET of a resource that only takes POST is answered with what it takes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from leadglass.exposure.facts import Answer, Fact
from leadglass.exposure.http import Http
from leadglass.exposure.http_answer import HttpAnswer
from leadglass.exposure.site import Probe, Site
from leadglass.exposure.web_asking import NOT_ABLE, REFUSED, STRANGE_ORIGIN, ask_all, cors, count, word

_CHECKS = ("W04",)
_MAX_PLUGINS = 64
_REALM = "Orthanc Secure Area"  # the realm of its Basic authentication
_STORES = "/tools/create-dicom"
_COUNTS = ("Patients", "Studies", "Series", "Instances")


async def _run(site: Site) -> Iterable[Fact]:
    return await ask_all(site, _CHECKS, _ask)


async def _ask(site: Site, asking: Http) -> AsyncIterator[Fact]:
    system = await asking.ask("/system", headers=STRANGE_ORIGIN)
    about = system.json() if system.ok else None
    if not isinstance(about, dict) or "ApiVersion" not in about:
        yield _closed(system)
        if _REALM in system.headers.get("www-authenticate", "") and not site.facts.yes("M01"):
            yield Fact("M01", Answer.YES, "", {"product": "Orthanc", "evidence": ("http-realm",)})
        return
    values = _about(about)
    yield Fact("W04", Answer.YES, "", values)  # whatever happens to the rest
    yield cors(system)
    if not site.facts.yes("M01"):
        product = {"product": "Orthanc", "version": values["version"], "evidence": ("rest-api",)}
        yield Fact("M01", Answer.YES, "", product)
    values |= _counts((await asking.ask("/statistics")).json())
    yield Fact("W04", Answer.YES, "", values)
    values |= _plugins((await asking.ask("/plugins")).json())
    yield Fact("W04", Answer.YES, "", values)
    yield _takes(await asking.ask(_STORES), read_only=about.get("ReadOnly") is True)


def _closed(system: HttpAnswer) -> Fact:
    if system.not_able:
        return Fact("W04", Answer.UNKNOWN, NOT_ABLE)
    return Fact("W04", Answer.NO, REFUSED if system.refused else "It is not Orthanc's interface.")


def _about(system: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {"version": word(system.get("Version")), **count("api", system.get("ApiVersion"))}
    if isinstance(system.get("ExecuteLuaEnabled"), bool):
        values["scripts"] = system["ExecuteLuaEnabled"]
    return values


def _counts(told: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    if isinstance(told, dict):
        for name in _COUNTS:
            found |= count(name.lower(), told.get(f"Count{name}"))
    return found


def _plugins(told: Any) -> dict[str, tuple[str, ...]]:
    names = told[:_MAX_PLUGINS] if isinstance(told, list) else []
    return {"plugins": tuple(name for name in map(word, names) if name)}


def _takes(answer: HttpAnswer, *, read_only: bool) -> Fact:
    methods = {name.strip().upper() for name in answer.headers.get("allow", "").split(",")}
    if answer.status == 405 and "POST" in methods and not read_only:  # RFC 9110 15.5.6
        return Fact("W03", Answer.YES, "Orthanc's own interface says that it takes objects.", {"roots": (_STORES,)})
    return Fact("W03", Answer.UNKNOWN, "Orthanc's own interface does not say that it takes objects.")


PROBE = Probe("orthanc", _CHECKS, lambda facts: facts.yes("W00"), _run)
