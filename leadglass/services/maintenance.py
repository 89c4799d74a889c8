"""Looking after the archive: what is in it, and whether what should be there is there and whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent, Outcome
from leadglass.core.ports import Catalog, Journal, State, Vault
from leadglass.core.principal import Principal, Right
from leadglass.core.records import CheckedRecord, Damage, StoredInstance
from leadglass.services.admit import Gate, use_case

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class CheckReport:
    """What `check` found. `problems` are plain sentences that name segments and offsets, never patients."""

    instances: int = 0
    records: int = 0
    problems: list[str] = field(default_factory=list)


class Maintenance:
    """Statistics, conflicts and `check`."""

    def __init__(self, gate: Gate, vault: Vault, catalog: Catalog, state: State, journal: Journal) -> None:
        self.gate = gate
        self._vault = vault
        self._catalog = catalog
        self._state = state
        self._journal = journal

    @use_case(Right.ADMINISTER, EventKind.APPLICATION_ACTIVITY)
    def statistics(self, principal: Principal) -> Mapping[str, int]:
        """Counts of patients, studies, series, instances, versions, trashed studies and bytes."""
        self._note(principal, "statistics-read", Outcome.SUCCESS, {})
        return self._catalog.statistics()

    @use_case(Right.ADMINISTER, EventKind.APPLICATION_ACTIVITY)
    def conflicts(self, principal: Principal) -> list[Mapping[str, str | int]]:
        """Unserved versions, and studies known with two patients."""
        self._note(principal, "conflicts-read", Outcome.SUCCESS, {})
        return self._catalog.conflicts()

    @use_case(Right.ADMINISTER, EventKind.APPLICATION_ACTIVITY)
    def check(self, principal: Principal, *, read_data: bool = False, progress: Progress | None = None) -> CheckReport:
        """Every row of the catalog points to a record that opens and is the instance it says; every record of the
        vault authenticates, with `read_data` down to its last byte; the ring's two copies agree."""
        report = CheckReport()
        total = sum(self._catalog.statistics().get(name, 0) for name in ("instances", "versions"))
        for stored in self._catalog.instances():
            report.instances += 1
            problem = self._look_at(stored)
            if problem:
                report.problems.append(problem)
            if progress is not None and report.instances % 100 == 0:
                progress(report.instances, total)
        for finding in self._vault.check(read_data):
            if isinstance(finding, CheckedRecord):
                report.records += 1
            elif isinstance(finding, Damage):
                report.problems.append(f"Segment {finding.segment} at {finding.offset}: {finding.reason}")
            else:
                report.problems.append(f"Key ring {finding.copy} at {finding.offset}: {finding.reason}")
        outcome = Outcome.SERIOUS_FAILURE if report.problems else Outcome.SUCCESS
        counts: dict[str, str | int] = {"instances": report.instances, "problems": len(report.problems)}
        self._note(principal, "checked", outcome, counts)
        return report

    def _look_at(self, stored: StoredInstance) -> str:
        try:
            reader = self._vault.open(stored.location, stored.identity)
        except LeadglassError as error:
            return f"Segment {stored.location.segment} at {stored.location.offset}: {error.comment}"
        try:
            if reader.trailer.digest != stored.digest:
                raise LeadglassError(ErrorCode.DAMAGED, "The digest is not the one in the catalog.")
        except LeadglassError as error:
            return f"Segment {stored.location.segment} at {stored.location.offset}: {error.comment}"
        finally:
            reader.close()
        return ""

    def _note(self, principal: Principal, what: str, outcome: Outcome, details: Mapping[str, str | int]) -> None:
        event = JournalEvent(EventKind.APPLICATION_ACTIVITY, what, principal.name, principal.address, outcome, details)
        self._journal.record(event)
