"""After a stop, however it came: bring the catalog up to what the vault holds, and to what state decided."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from leadglass.core.errors import LeadglassError
from leadglass.core.events import EventKind, JournalEvent, Outcome
from leadglass.core.limits import CHUNK_SIZE
from leadglass.core.ports import Catalog, Journal, RecordReader, ReplayedRecord, State, Vault
from leadglass.core.principal import Principal, Right
from leadglass.core.records import Damage, InstanceEntry
from leadglass.dicom.scan import HeaderScan, HeaderScanner
from leadglass.services.admit import Gate, use_case

BATCH = 500  # entries in one catalog transaction
HEADER_PIECE = 4 * CHUNK_SIZE  # read at a time while a header is looked for

Progress = Callable[[int, int], None]  # done, in all


@dataclass(slots=True)
class RecoveryReport:
    """What a replay found."""

    segments: int = 0
    added: int = 0
    damage: list[Damage] = field(default_factory=list)


class Recovery:
    """Replay at start, and `reindex`."""

    def __init__(self, gate: Gate, vault: Vault, catalog: Catalog, state: State, journal: Journal) -> None:
        self.gate = gate
        self._vault = vault
        self._catalog = catalog
        self._state = state
        self._journal = journal

    @use_case(Right.ADMINISTER, EventKind.APPLICATION_ACTIVITY)
    def replay(self, principal: Principal, progress: Progress | None = None) -> RecoveryReport:
        """Replay every segment from its mark, adopt those of dead writers, and apply the trash."""
        report = self._replay_all(progress)
        self._apply_trash()
        self._note(principal, "replayed", report)
        return report

    @use_case(Right.ADMINISTER, EventKind.APPLICATION_ACTIVITY)
    def reindex(self, principal: Principal, progress: Progress | None = None) -> RecoveryReport:
        """Forget the catalog and rebuild it from segments, ring and state, in order of receipt."""
        self._catalog.clear()
        report = RecoveryReport()
        segments = self._vault.segments()
        order = self._receipt_order(segments, report)
        for batch in _batches(self._in_order(segments, order, progress), report.damage):
            self._catalog.add(batch, [])
            report.added += len(batch)
        self._catalog.add([], [self._vault.adopt(segment) for segment in segments])
        self._apply_trash()
        self._note(principal, "reindexed", report)
        return report

    def _receipt_order(self, segments: list[str], report: RecoveryReport) -> list[tuple[int, int, int]]:
        """(received at, number of the segment, offset) of every good record, in order of receipt."""
        order: list[tuple[int, int, int]] = []
        for number, segment in enumerate(segments):
            report.segments += 1
            for item in self._vault.replay(segment, 0):
                if isinstance(item, Damage):
                    report.damage.append(item)
                    continue
                order.append((item.reader.trailer.received_at, number, item.location.offset))
                item.reader.close()
        order.sort()
        return order

    def _in_order(
        self, segments: list[str], order: list[tuple[int, int, int]], progress: Progress | None
    ) -> Iterator[ReplayedRecord | Damage]:
        for done, (_, number, offset) in enumerate(order):
            records = self._vault.replay(segments[number], offset)  # kept: its reader lives as long as the iterator
            yield next(records)
            if progress is not None and done % BATCH == 0:
                progress(done, len(order))

    def _replay_all(self, progress: Progress | None) -> RecoveryReport:
        report = RecoveryReport()
        marks = self._catalog.marks()
        open_segments = [name for name in self._vault.segments() if not (name in marks and marks[name].sealed)]
        for done, segment in enumerate(open_segments):
            start = marks[segment].offset if segment in marks else 0
            for batch in _batches(self._vault.replay(segment, start), report.damage):
                self._catalog.add(batch, [])
                report.added += len(batch)
            self._catalog.add([], [self._vault.adopt(segment)])
            report.segments += 1
            if progress is not None:
                progress(done + 1, len(open_segments))
        return report

    def _apply_trash(self) -> None:
        for entry in self._state.trash():
            self._catalog.set_trashed(entry.study_uid, True)

    def _note(self, principal: Principal, what: str, report: RecoveryReport) -> None:
        outcome = Outcome.SERIOUS_FAILURE if report.damage else Outcome.SUCCESS
        details: dict[str, str | int] = {
            "segments": report.segments,
            "instances": report.added,
            "damage": len(report.damage),
        }
        self._journal.record(
            JournalEvent(EventKind.APPLICATION_ACTIVITY, what, principal.name, principal.address, outcome, details)
        )


def entry_of(item: ReplayedRecord) -> InstanceEntry:
    """The catalog entry of a record met in replay: its trailer, and the header scanned anew."""
    try:
        scan = scan_header(item.reader)
    finally:
        item.reader.close()
    return InstanceEntry(item.reader.trailer, item.location, item.key_id, scan.values)


def scan_header(reader: RecordReader) -> HeaderScan:
    """Scan a stored instance up to its pixel data, without reading those."""
    scanner = HeaderScanner(reader.trailer.transfer_syntax_uid)
    position = 0
    while position < reader.data_set_length and scanner.partial.pixel_data_offset is None:
        piece = reader.read(position, HEADER_PIECE)
        position += len(piece)
        try:
            scanner.feed(piece)
        except LeadglassError:
            break
    return scanner.partial


def _batches(items: Iterator[ReplayedRecord | Damage], damage: list[Damage]) -> Iterator[list[InstanceEntry]]:
    batch: list[InstanceEntry] = []
    for item in items:
        if isinstance(item, Damage):
            damage.append(item)
            continue
        try:
            batch.append(entry_of(item))
        except LeadglassError as error:
            # Of a sealed segment replay authenticates the trailers only: here the header's own bytes are off.
            length = item.end - item.location.offset
            damage.append(Damage(item.location.segment, item.location.offset, length, error.comment))
        if len(batch) >= BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
