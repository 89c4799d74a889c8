"""Judges what was seen of one service: how far a stranger got, what that means, what nobody could test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from leadglass.exposure.facts import Answer, Facts, Observation
from leadglass.exposure.findings import Assessment, Finding, Rung
from leadglass.exposure.rules import access, transport, web
from leadglass.exposure.rules.remedies import remedy
from leadglass.exposure.rules.rule import SCORES, Rule, severity_of

RULES: Mapping[str, Rule] = MappingProxyType({rule.id: rule for rule in (*access.RULES, *web.RULES, *transport.RULES)})

_QUERIES = ("D08", "D09", "W01", "W04", "W05")
_STEPS = (
    (Rung.QUERY_ANSWERED, (*_QUERIES, "W09")),
    (Rung.QUERY_CONTEXT_ACCEPTED, ("D07",)),
    (Rung.ECHO_ANSWERED, ("D06",)),
    (Rung.ASSOCIATION_ACCEPTED, ("D02", "D05")),
    (Rung.PDU_ANSWERED, ("D01",)),
    (Rung.PORT_OPEN, ("T01",)),
)


def judge(observation: Observation) -> Assessment:
    """Facts to findings, the worst first. What could not be tested is listed, and never counts as safe."""
    facts = Facts(observation.facts)
    rung = rung_of(facts)
    findings = [_finding(rule, facts, rung) for rule in RULES.values() if rule.fires(facts)]
    findings.sort(key=lambda finding: (-finding.score, finding.id))
    untested = tuple(fact.check for fact in facts if fact.answer in (Answer.UNKNOWN, Answer.SKIPPED))
    return Assessment(observation.service, rung, tuple(findings), untested)


def rung_of(facts: Facts) -> Rung:
    """How far a stranger got."""
    if any(facts.yes(check) for check in _QUERIES) and _anything(facts):
        return Rung.COUNTED
    return next((rung for rung, checks in _STEPS if any(facts.yes(check) for check in checks)), Rung.CLOSED)


def _anything(facts: Facts) -> bool:
    """Whether there is something to see. A search of things that nobody counted shows nothing yet."""
    told = [facts.value("P01", name) for name in ("studies", "instances")]
    return any(isinstance(number, int) and number > 0 for number in told)


def _finding(rule: Rule, facts: Facts, rung: Rung) -> Finding:
    score = SCORES[rule.vector]
    reached = rung if rule.id == "read-exposure" else rule.rung
    finding = Finding(
        rule.id,
        rule.title,
        reached,
        severity_of(score),
        rule.vector,
        score,
        rule.could,
        remedy(rule.id, facts),
        rule.references,
        tuple(check for check in rule.checks if facts.yes(check)),
    )
    if rule.id == "known-flaws-possible":
        names = ", ".join(web.known_flaws(facts))
        return replace(finding, could=f"{rule.could} Possible: {names}.")
    return finding
