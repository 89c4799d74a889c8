"""Whether DICOMweb answers a stranger: QIDO-RS, WADO-RS, WADO-URI, STOW-RS (W01, W02, W03).

Everything is asked for a study that does not exist, so that the answers hold nobody's data. Nothing is stored: whether
a stranger could is what the service says of itself, since even an empty request could leave a trace in an archive.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any

from leadglass.exposure.facts import Answer, Fact
from leadglass.exposure.http import Http
from leadglass.exposure.http_answer import HttpAnswer
from leadglass.exposure.site import Probe, Site
from leadglass.exposure.web_asking import NOT_ABLE, REFUSED, STRANGE_ORIGIN, ask_all, cors

_CHECKS = ("W01", "W02", "W03")
ROOTS = (
    *("/dicom-web", "/dicomweb", "/rs", "/wado-rs", "/api/dicom-web", "/api"),
    *("/orthanc/dicom-web", "/pacs/dicom-web", "/dcm4chee-arc/aets/DCM4CHEE/rs"),
)
_WADO_URI = "/wado"  # where dcm4chee, Orthanc and others have it
_CONNECTIONS = 16  # for servers that close after each answer
_MAX_TITLES = 4
_MAX_TRIED = 2  # roots where WADO-RS is tried
_ENOUGH_REFUSALS = 2  # where everything is behind one door
_JSON = {"Accept": "application/dicom+json"}
_TAG = re.compile(r"[0-9A-Fa-f]{8}")


@dataclass(slots=True)
class _Searched:
    """Roots by how QIDO-RS answered there."""

    found: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    status: int = 0  # of the first that was found
    not_able: bool = False


async def _run(site: Site) -> Iterable[Fact]:
    return await ask_all(site, _CHECKS, _ask, connections=_CONNECTIONS)


async def _ask(site: Site, asking: Http) -> AsyncIterator[Fact]:
    study = _made_up(site)
    searched = _Searched()
    for root in _roots(site):
        await _search(asking, root, study, searched)
        if len(searched.refused) >= _ENOUGH_REFUSALS and _one_door(site):
            break
    yield _qido(searched)
    if searched.found:
        yield cors(await asking.ask(_query(searched.found[0], study), headers={**_JSON, **STRANGE_ORIGIN}))
    yield await _wado(asking, searched, study)
    if not site.facts.yes("W03"):
        yield await _stow(asking, searched)


def _roots(site: Site) -> tuple[str, ...]:
    told = site.facts.value("W05", "aets")
    titles = told[:_MAX_TITLES] if isinstance(told, tuple) else ()
    return tuple(dict.fromkeys([*(f"/dcm4chee-arc/aets/{title}/rs" for title in titles), *ROOTS]))


def _one_door(site: Site) -> bool:
    """Whether the first page was refused as well, so that the whole server is behind one door."""
    return site.facts.value("W00", "status") in (401, 403, 407)


def _made_up(site: Site) -> str:
    number = int.from_bytes(hashlib.blake2b(site.secret, digest_size=16).digest())
    return f"2.25.{number}"  # PS3.5 B.2


def _query(root: str, study: str) -> str:
    return f"{root}/studies?StudyInstanceUID={study}&limit=1"


# --- QIDO-RS (PS3.18 10.6) -----------------------------------------------------------------------------------------


async def _search(asking: Http, root: str, study: str, searched: _Searched) -> None:
    answer = await asking.ask(_query(root, study), headers=_JSON)
    searched.not_able |= answer.not_able
    if answer.refused:
        searched.refused.append(root)
    elif is_search(answer) and not await _says_so_to_everything(asking, root, answer):
        searched.found.append(root)
        searched.status = searched.status or answer.status


def is_search(answer: HttpAnswer) -> bool:
    """Whether this is an answer of QIDO-RS (PS3.18 10.6.3.1): no content, or a list of DICOM JSON objects."""
    if answer.status == 204:
        return True
    if not answer.ok or answer.media_type not in ("application/dicom+json", "application/json"):
        return False
    told = answer.json()
    return isinstance(told, list) and all(_is_data_set(entry) for entry in told[:2])


def _is_data_set(entry: Any) -> bool:
    return isinstance(entry, dict) and bool(entry) and all(_TAG.fullmatch(key) for key in entry)


async def _says_so_to_everything(asking: Http, root: str, answer: HttpAnswer) -> bool:
    """Whether a path that nobody has is answered alike, as some servers do that are no archive."""
    if answer.media_type == "application/dicom+json":
        return False
    return is_search(await asking.ask(f"{root}/leadglass-audit", headers=_JSON))


def _qido(searched: _Searched) -> Fact:
    if searched.found:
        return Fact("W01", Answer.YES, "", {"roots": tuple(searched.found), "status": searched.status})
    if searched.refused:
        return Fact("W01", Answer.NO, REFUSED)
    if searched.not_able:
        return Fact("W01", Answer.UNKNOWN, NOT_ABLE)
    return Fact("W01", Answer.NO, "No DICOMweb service was found.")


# --- WADO-RS and WADO-URI (PS3.18 10.4, 9) -------------------------------------------------------------------------


async def _wado(asking: Http, searched: _Searched, study: str) -> Fact:
    looked: list[str] = []
    refused = False
    for root in (*searched.found[:_MAX_TRIED], *searched.refused[:_MAX_TRIED]):
        answer = await asking.ask(f"{root}/studies/{study}/metadata", headers=_JSON)
        refused |= answer.refused
        if answer.status in (404, 410) or answer.ok:
            looked.append(root)
    if await _wado_uri(asking, study):
        looked.append(_WADO_URI)
    if looked:
        return Fact("W02", Answer.YES, "", {"roots": tuple(looked)})
    return Fact("W02", Answer.NO, REFUSED if refused else "No service was found that looks for studies.")


async def _wado_uri(asking: Http, study: str) -> bool:
    """Whether it looks for objects: it wants to know which one (400), and then does not find the made-up one (404)."""
    if (await asking.ask(_WADO_URI)).status != 400:
        return False
    wanted = f"{_WADO_URI}?requestType=WADO&studyUID={study}&seriesUID={study}.1&objectUID={study}.2"
    return (await asking.ask(wanted)).status in (404, 410)


# --- STOW-RS (PS3.18 10.5) -----------------------------------------------------------------------------------------


async def _stow(asking: Http, searched: _Searched) -> Fact:
    """By the methods that the service says it has (RFC 9110 9.3.7)."""
    if not searched.found:
        why = REFUSED if searched.refused else "No DICOMweb service was found."
        return Fact("W03", Answer.NO, why)
    root = searched.found[0]
    answer = await asking.ask(f"{root}/studies", method="OPTIONS")
    if answer.refused:
        return Fact("W03", Answer.NO, REFUSED)
    allowed = {word.strip().upper() for word in answer.headers.get("allow", "").split(",")} - {""}
    if not answer.ok or not allowed:
        return Fact("W03", Answer.UNKNOWN, "The service does not say which methods it allows.")
    return Fact("W03", Answer.YES if "POST" in allowed else Answer.NO, "", {"roots": (root,)})


PROBE = Probe("dicomweb", _CHECKS, lambda facts: facts.yes("W00"), _run)
