"""Audits the laboratory, or a part of it, and holds what was found against the truth."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import uvloop

from leadglass.app.audits.running import Plan, digest_of, ledger_of
from leadglass.app.audits.scope_file import read_scope
from leadglass.app.lab.lab import chosen, lights, write_scope
from leadglass.app.lab.truth import Place
from leadglass.exposure.audit import Audit
from leadglass.exposure.facts import Facts
from leadglass.exposure.run import Outcome, Run
from leadglass.exposure.run_journal import RunJournal
from leadglass.exposure.scope import Scope
from leadglass.exposure.targets import Targets

LINE = {"plaintext", "plain-http"}  # what every server in plain text is told


class Silent:
    def moved(self, progress: object) -> None:
        pass

    def judged(self, result: object) -> None:
        pass


async def _audited(scope: Scope, journal: RunJournal) -> Outcome:
    run = Run(scope, Targets(scope, seed=3), journal, Silent(), now=time.time)
    return await run.run()


def audit_lab(
    folder: Path,
    *,
    closed: frozenset[str] = frozenset(),
    fakes: int = 0,
    name: str = "20260101T000000Z-0001",
    only: Sequence[Place] = (),
    **permitted: object,
) -> tuple[Audit, list[Place]]:
    """Start the light servers and audit all of the laboratory's scope; or audit what stands already at `only`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = write_scope(folder, fakes=fakes, patience=5)
    file = read_scope(path.read_bytes(), "scope.toml")
    scope = replace(file.scope, **permitted)
    plan = Plan(file, digest_of(path.read_bytes()))

    async def both() -> tuple[Outcome, list[Place]]:
        async with lights([] if only else chosen(fakes, closed), folder) as places:
            journal = RunJournal(folder / "runs" / f"{name}.jsonl", {"id": name})
            outcome = await _audited(scope, journal)
            journal.close()
            return outcome, [*places, *only]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        outcome, places = runner.run(both())
    assert outcome.complete
    audit = Audit(
        name, 1.0, 2.0, plan.digest, "Lab", "me", "me", 512, file.scope.ports, 1, 0, True, (0, 1), outcome.results
    )
    ledger_of(folder).record(audit)
    return audit, places


def assert_true(audit: Audit, places: Sequence[Place]) -> None:
    """Nothing was found but these services, and of each the rung, the findings, the counts, the product."""
    found = {(result.observation.service.address, result.observation.service.port): result for result in audit.results}
    assert set(found) == {(place.address, place.port) for place in places}
    for place in places:
        result, truth = found[place.address, place.port], place.truth
        facts = Facts(result.observation.facts)
        assert (place.name, result.assessment.rung) == (place.name, truth.rung)
        ids = {finding.id for finding in result.assessment.findings if finding.score}
        assert (place.name, ids - LINE - truth.findings) == (place.name, set())
        assert (place.name, truth.findings - ids) == (place.name, set())
        if truth.product:
            assert (place.name, facts.value("M01", "product")) == (place.name, truth.product)
        if truth.studies is not None:
            _assert_counted(place, facts)


def _assert_counted(place: Place, facts: Facts) -> None:
    truth, exact = place.truth, facts.value("P01", "exactness") == "exact"
    counted = facts.value("P01", "studies"), facts.value("P01", "instances")
    assert (place.name, exact) == (place.name, truth.exact)
    if exact:
        assert (place.name, *counted) == (place.name, truth.studies, truth.images)
    else:
        assert 0 < counted[0] <= truth.studies
