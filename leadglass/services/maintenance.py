"""Looking after the archive: what is in it, and whether what should be there is there and whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent, Outcome
from leadglass.core.ports import Catalog, Journal, State, Vault
from leadglass.core.principal import Principal, Right
from leadglass.core.records import CheckedRecord, Damage, ReplayMark, RingFinding, StoredInstance
from leadglass.services.admit import Gate, use_case

Progress = Callable[[int, int], None]
POSITION = "check-position"  # the setting that tells how far an interrupted check came
CHECKPOINT = 500  # records between two notes of it


@dataclass(slots=True)
class CheckReport:
    """What `check` found. `problems` are plain sentences that name segments and offsets, never patients."""

    instances: int = 0
    records: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Earlier:
    """How far an interrupted check came, and what it had found."""

    position: str | None = None
    records: int = 0
    problems: list[str] = field(default_factory=list)

    def text(self) -> str:
        return json.dumps([self.position, self.records, self.problems])

    @classmethod
    def parse(cls, text: str | None) -> _Earlier:
        return cls(*json.loads(text)) if text else cls()


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
    def check(
        self,
        principal: Principal,
        *,
        read_data: bool = False,
        resume: bool = False,
        progress: Progress | None = None,
    ) -> CheckReport:
        """Every row of the catalog points to a record that opens and is the instance it says; every record of the
        vault is in the catalog and authenticates, with `read_data` down to its last byte; the ring's copies agree.

        With `resume` the reading goes on where an interrupted one stopped, and tells what that one found too.
        """
        report = CheckReport()
        self._look_at_rows(report, progress)
        earlier = _Earlier.parse(self._state.setting(POSITION)) if resume and read_data else _Earlier()
        report.records = earlier.records
        report.problems += [problem for problem in earlier.problems if problem not in report.problems]
        self._look_at_records(report, read_data, earlier.position)
        outcome = Outcome.SERIOUS_FAILURE if report.problems else Outcome.SUCCESS
        counts: dict[str, str | int] = {"instances": report.instances, "problems": len(report.problems)}
        self._note(principal, "checked", outcome, counts)
        return report

    def _look_at_rows(self, report: CheckReport, progress: Progress | None) -> None:
        total = sum(self._catalog.statistics().get(name, 0) for name in ("instances", "versions"))
        for stored in self._catalog.instances():
            report.instances += 1
            problem = self._look_at(stored)
            if problem:
                report.problems.append(problem)
            if progress is not None and report.instances % 100 == 0:
                progress(report.instances, total)

    def _look_at_records(self, report: CheckReport, read_data: bool, position: str | None) -> None:
        marks = self._catalog.marks()  # before: what is stored meanwhile lies behind them
        for number, finding in enumerate(self._vault.check(read_data, position), 1):
            problem = self._problem_of(finding, marks)
            if problem and problem not in report.problems:
                report.problems.append(problem)
            if isinstance(finding, CheckedRecord):
                report.records += 1
                position = finding.position
            if read_data and position and number % CHECKPOINT == 0:
                self._state.put_setting(POSITION, _Earlier(position, report.records, report.problems).text())
        if read_data:
            self._state.put_setting(POSITION, "")

    def _problem_of(self, finding: CheckedRecord | Damage | RingFinding, marks: Mapping[str, ReplayMark]) -> str:
        if isinstance(finding, Damage):
            return f"Segment {finding.segment} at {finding.offset}: {finding.reason}"
        if isinstance(finding, RingFinding):
            return f"Key ring {finding.copy} at {finding.offset}: {finding.reason}"
        place = finding.location
        mark = marks.get(place.segment)
        if mark is None or place.offset >= mark.offset:
            return ""  # not catalogued yet: the next start does it
        rows = self._catalog.versions(finding.identity.sop_instance_uid)
        if any(row.location == place or row.digest == finding.digest for row in rows):
            return ""  # the same bytes may lie there twice: sent again after a store that was answered as failed
        return f"Segment {place.segment} at {place.offset}: The record is not in the catalog; run reindex."

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
