"""How much is exposed: studies, series, images, years, kinds. Over one connection, only where a stranger may ask."""

from __future__ import annotations

from collections.abc import Iterable

from leadglass.dicom import uids
from leadglass.exposure.asking import line, unknown_title
from leadglass.exposure.counting.by_find import by_find
from leadglass.exposure.counting.by_qido import by_qido
from leadglass.exposure.counting.count import NO_SECOND, Count, count
from leadglass.exposure.facts import MAX_LIST, Answer, Fact, Facts, Value
from leadglass.exposure.http import http
from leadglass.exposure.proposal import SYNTAXES
from leadglass.exposure.site import Probe, Site
from leadglass.exposure.streams import Reason, Unreachable
from leadglass.exposure.upper_layer import Talk, associate, request
from leadglass.wire.ul.pdu import ProposedContext

_CHECKS = ("P01", "P02", "P04")
_PATIENCE = 900.0  # seconds for the count of one service
_BOUND = 512 * 1024 * 1024  # bytes that its answers may have together
_QUERY = (ProposedContext(1, uids.STUDY_ROOT_FIND, SYNTAXES), ProposedContext(3, uids.PATIENT_ROOT_FIND, SYNTAXES))

NO_IMAGES = "Not every study says how many images it has."
NO_PATIENT = "Not every study names its patient."
OTHER_NUMBERS = "The product's own numbers are others than those counted."


async def _run(site: Site) -> Iterable[Fact]:
    if site.facts.yes("D08"):
        return await _by_find(site)
    if site.facts.yes("W01"):
        return await _by_qido(site)
    return _told_only(site.facts)


async def _by_find(site: Site) -> list[Fact]:
    asked = request(unknown_title(site), site.scope.calling_title, _QUERY)
    async with line(site, site.deadline(_PATIENCE), bound=_BOUND) as stream:
        talk = await associate(stream, asked)
        context = None
        if isinstance(talk, Talk):
            context = talk.context(uids.STUDY_ROOT_FIND) or talk.context(uids.PATIENT_ROOT_FIND)
        if not isinstance(talk, Talk) or context is None:
            return [Fact(check, Answer.UNKNOWN, "The association for the count was not accepted.") for check in _CHECKS]
        found = await count(by_find(talk, context, site.secret, patients=site.scope.count_patients))
        await _released(talk)
        return _facts(found, "c-find", site.facts)


async def _by_qido(site: Site) -> list[Fact]:
    roots = site.facts.value("W01", "roots")
    root = str(roots[0]) if isinstance(roots, tuple) and roots else ""
    async with http(site, connections=64, seconds=_PATIENCE, bound=_BOUND) as asking:
        ask = by_qido(asking, root, site.secret, patients=site.scope.count_patients)
        found = await count(ask, product_count=_product(site.facts, "studies"))
        return _facts(found, "qido", site.facts)


async def _released(talk: Talk) -> None:
    try:
        await talk.release()
    except Unreachable as ended:
        if ended.reason is Reason.STOPPED:
            raise


def _facts(found: Count, how: str, known: Facts) -> list[Fact]:
    tally = found.tally
    values: dict[str, Value] = {"studies": len(tally.studies)}
    if not tally.untold_series:
        values["series"] = tally.series
    if tally.instances or not tally.untold_instances:
        values["instances"] = tally.instances
    if tally.untold_instances:
        found.doubt(NO_IMAGES)
    if tally.patients:
        values["patients"] = len(tally.patients)
        if tally.untold_patients:
            found.doubt(NO_PATIENT)
    told = {
        name: number for name in ("patients", "studies", "series", "instances") if (number := _product(known, name))
    }
    for name, number in told.items():
        have = values.get(name)
        if isinstance(have, int) and have != number:
            found.doubt(OTHER_NUMBERS)
        values[name] = max(number, have) if isinstance(have, int) else number
    values |= {
        "exactness": "exact" if found.exact else "at-least",
        "how": (how, *_products(known)),
        "reasons": tuple(found.reasons),
    }
    facts = [Fact("P01", Answer.YES, "", values)]
    years = sorted(tally.years)
    span: dict[str, Value] = {"modalities": tuple(sorted(tally.modalities))[:MAX_LIST]}
    if years:
        span |= {"first_year": years[0], "last_year": years[-1]}
    facts.append(Fact("P02", Answer.YES if years or tally.modalities else Answer.UNKNOWN, "", span))
    likely = tuple(sorted(tally.likely))
    burned: dict[str, Value] = {"objects": sum(tally.likely.values()), "kinds": likely}
    facts.append(Fact("P04", Answer.YES if likely else Answer.NO, "Studies with objects of these kinds.", burned))
    return facts


def _told_only(known: Facts) -> list[Fact]:
    """What the product's own interface said: nothing was counted by us."""
    values: dict[str, Value] = {
        name: number
        for name in ("patients", "studies", "series", "instances")
        if (number := _product(known, name)) is not None
    }
    if not values:
        return [Fact(check, Answer.UNKNOWN, "The service does not say how much it holds.") for check in _CHECKS]
    values |= {"exactness": "at-least", "how": _products(known), "reasons": (NO_SECOND,)}
    unknown = [Fact(check, Answer.UNKNOWN, "No search was answered.") for check in ("P02", "P04")]
    return [Fact("P01", Answer.YES, "", values), *unknown]


def _products(known: Facts) -> tuple[str, ...]:
    pairs = (("W04", "orthanc-statistics"), ("W05", "dcm4chee-count"))
    return tuple(how for check, how in pairs if isinstance(known.value(check, "studies"), int))


def _product(known: Facts, name: str) -> int | None:
    for check in ("W04", "W05"):
        told = known.value(check, name)
        if isinstance(told, int):
            return told
    return None


def _wanted(facts: Facts) -> bool:
    return any(facts.yes(check) for check in ("D08", "W01", "W04", "W05"))


PROBE = Probe("count", _CHECKS, _wanted, _run)
