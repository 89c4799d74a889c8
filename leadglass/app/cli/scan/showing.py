"""An audit on a terminal: the ladder, the services, what to do first."""

from __future__ import annotations

from collections import Counter

from leadglass.app.cli.output import say, shown, table
from leadglass.exposure.audit import Audit, Result
from leadglass.exposure.facts import Facts
from leadglass.exposure.findings import Rung
from leadglass.exposure.reports.words import RUNGS, exposed, first_to_do, product_and_version

_WIDTH = 32  # characters of the longest bar


def headline(result: Result) -> str:
    """One service in a line."""
    assessment = result.assessment
    facts = Facts(result.observation.facts)
    parts = [assessment.service.label, RUNGS[assessment.rung], product_and_version(facts), exposed(facts)]
    return shown("  ".join(part for part in parts if part))


def show_audit(audit: Audit) -> None:
    """Everything that matters, on standard output."""
    _ladder(audit)
    rows = [_row(result) for result in _worst_first(audit)]
    table("Services", ("service", "how far", "severity", "product", "exposed", "findings"), rows)
    todo = first_to_do(audit)
    if todo:
        say("\n[bold]What to do first[/]")
        for number, (where, what) in enumerate(todo, 1):
            say(f"{number}. [bold]{where}[/]: {shown(what)}")


def _worst_first(audit: Audit) -> list[Result]:
    return sorted(
        audit.results,
        key=lambda result: (-result.assessment.rung, -max((f.score for f in result.assessment.findings), default=0)),
    )


def _row(result: Result) -> tuple[str, ...]:
    facts = Facts(result.observation.facts)
    assessment = result.assessment
    return (
        assessment.service.label,
        RUNGS[assessment.rung],
        assessment.severity.value,
        product_and_version(facts),
        exposed(facts),
        ", ".join(finding.id for finding in assessment.findings if finding.score),
    )


def _ladder(audit: Audit) -> None:
    counts = Counter(result.assessment.rung for result in audit.results)
    most = max(counts.values(), default=1)
    say(f"[bold]{shown(audit.title)}[/]: {audit.contacted:,} doors knocked at, {len(audit.results):,} open")
    for rung in reversed(Rung):
        if counts[rung]:
            say(f"  {RUNGS[rung]:28} {'█' * max(1, counts[rung] * _WIDTH // most)} {counts[rung]:,}")
    say("")
