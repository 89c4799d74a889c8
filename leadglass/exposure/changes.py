"""What became of each service between two audits."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from leadglass.exposure.audit import Audit, Result
from leadglass.exposure.facts import Facts
from leadglass.exposure.service import Service


class Kind(StrEnum):
    """How it changed."""

    NEW = "new"
    STILL_OPEN = "still-open"
    WORSE = "worse"
    BETTER = "better"
    CLOSED = "closed"
    REOPENED = "reopened"
    MOVED = "moved"
    UNKNOWN = "unknown"  # the newer audit could not look, or was not whole


@dataclass(frozen=True, slots=True)
class Change:
    """One service, before and after; None is where it was not there or not open."""

    kind: Kind
    before: Result | None
    after: Result | None

    @property
    def service(self) -> Service:
        """Where it is now, or was."""
        result = self.after or self.before
        assert result is not None
        return result.observation.service


def is_open(result: Result) -> bool:
    """Whether something is open to everybody: a finding that needs nobody on the way (CVSS: AT:N)."""
    return any("/AT:N/" in finding.vector for finding in result.assessment.findings)


def changes(older: Audit, newer: Audit, *, earlier: tuple[Audit, ...] = ()) -> list[Change]:
    """What changed, by service. `earlier` audits tell what was closed once and is open again.

    A service that is gone, and whose product and counts turn up at one new place only, is said to have moved.
    """
    before = {result.observation.service: result for result in older.results}
    after = {result.observation.service: result for result in newer.results}
    once = {result.observation.service for audit in earlier for result in audit.results if is_open(result)}
    found = [
        change
        for service in sorted({*before, *after})
        if (change := _change(before.get(service), after.get(service), once, newer)) is not None
    ]
    return sorted(_moved(found), key=lambda change: change.service)


def _change(before: Result | None, after: Result | None, once: set[Service], newer: Audit) -> Change | None:
    was, now = before is not None and is_open(before), after is not None and is_open(after)
    if now and not was:
        assert after is not None
        again = after.observation.service in once
        return Change(Kind.REOPENED if again else Kind.NEW, before, after)
    if was and not now:
        looked = newer.complete if after is None else not _blind(after)
        return Change(Kind.CLOSED if looked else Kind.UNKNOWN, before, after)
    if not was or before is None or after is None:
        return None
    gained = _measure(after) > _measure(before), _measure(after) < _measure(before)
    return Change(Kind.WORSE if gained[0] else Kind.BETTER if gained[1] else Kind.STILL_OPEN, before, after)


def _blind(result: Result) -> bool:
    """Whether the newer audit found the port open and could not tell what is behind."""
    return {"D01", "D02"} & set(result.assessment.untested) != set()


def _measure(result: Result) -> tuple[int, float]:
    return result.assessment.rung, sum(finding.score for finding in result.assessment.findings)


def _moved(found: list[Change]) -> list[Change]:
    gone = [change for change in found if change.kind is Kind.CLOSED and change.after is None]
    come = [change for change in found if change.kind is Kind.NEW and change.before is None]
    moved: dict[int, Change] = {}
    for old in gone:
        assert old.before is not None
        mark = _mark(old.before)
        same = [new for new in come if new.after is not None and _mark(new.after) == mark]
        alike = [other for other in gone if other.before is not None and _mark(other.before) == mark]
        if mark and len(same) == len(alike) == 1:
            moved[id(old)] = Change(Kind.MOVED, old.before, same[0].after)
            moved[id(same[0])] = moved[id(old)]
    kept = [change for change in found if id(change) not in moved]
    return kept + list({id(change): change for change in moved.values()}.values())


def _mark(result: Result) -> tuple[object, ...]:
    """By which a service is known again: counts and names that two archives do not share by chance."""
    facts = Facts(result.observation.facts)
    product = facts.value("M01", "implementation_class"), facts.value("M01", "implementation_version")
    counts = facts.value("P01", "studies"), facts.value("P01", "instances")
    if not any(product) or not counts[0]:
        return ()
    return (*product, *counts, facts.value("P02", "first_year"), facts.value("P02", "modalities"))
