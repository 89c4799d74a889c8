"""After a stop, however it came: bring the catalog up to what the vault holds, and to what state decided."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from leadglass.core.errors import LeadglassError
from leadglass.core.events import EventKind, JournalEvent, Outcome
from leadglass.core.limits import CHUNK_SIZE
from leadglass.core.ports import AddOutcome, Catalog, Journal, RecordReader, ReplayedRecord, State, Vault
from leadglass.core.principal import Principal, Right
from leadglass.core.records import Damage, InstanceEntry
from leadglass.dicom.scan import HeaderScan, HeaderScanner
from leadglass.services.admit import Gate, use_case

BATCH = 500  # entries in one catalog transaction
OPEN_WALKS = 8  # segments that are read in turns: as many as writers were at work at once
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
        marks = self._catalog.marks()
        places = {
            name: marks[name].offset if name in marks else 0
            for name in self._vault.segments()
            if not (name in marks and marks[name].sealed)
        }
        report = self._take_in(places, progress)
        self._apply_trash()
        self._note(principal, "replayed", report)
        return report

    @use_case(Right.ADMINISTER, EventKind.APPLICATION_ACTIVITY)
    def reindex(self, principal: Principal, progress: Progress | None = None) -> RecoveryReport:
        """Forget the catalog and rebuild it from segments, ring and state. If it is interrupted, `replay` goes on."""
        self._catalog.clear()
        report = self._take_in(dict.fromkeys(self._vault.segments(), 0), progress)
        self._apply_trash()
        self._note(principal, "reindexed", report)
        return report

    def _take_in(self, places: Mapping[str, int], progress: Progress | None) -> RecoveryReport:
        """Catalogue what lies in segments from the given offsets on, in the order it came in; then adopt them.

        The order decides which version is served and which instance defines its study. Names of segments are random.
        """
        report = RecoveryReport(len(places))
        order = self._order_of(places, report)
        for batch in _batches(self._in_order(list(places), order, progress), report.damage):
            report.added += sum(added.outcome is not AddOutcome.KNOWN for added in self._catalog.add(batch, []))
        for name in places:
            self._catalog.add([], [self._vault.adopt(name)])
        return report

    def _order_of(self, places: Mapping[str, int], report: RecoveryReport) -> list[tuple[int, int, int]]:
        """(when it came, number of the segment, offset) of every good record, in order."""
        order: list[tuple[int, int, int]] = []
        for number, (segment, start) in enumerate(places.items()):
            for item in self._vault.replay(segment, start):
                if isinstance(item, Damage):
                    report.damage.append(item)
                    continue
                order.append((item.reader.trailer.came, number, item.location.offset))
                item.reader.close()
        order.sort()
        return order

    def _in_order(
        self, segments: Sequence[str], order: Sequence[tuple[int, int, int]], progress: Progress | None
    ) -> Iterator[ReplayedRecord | Damage]:
        walks: dict[int, Iterator[ReplayedRecord | Damage]] = {}  # most records stand behind the one before them
        for done, (_, number, offset) in enumerate(order):
            item = next(walks[number], None) if number in walks else None
            if not isinstance(item, ReplayedRecord) or item.location.offset != offset:
                walks.pop(number, None)
                if len(walks) >= OPEN_WALKS:
                    walks.clear()
                walks[number] = self._vault.replay(segments[number], offset)
                item = next(walks[number])
            yield item
            if progress is not None and done % BATCH == 0:
                progress(done, len(order))

    def _apply_trash(self) -> None:
        """Make the catalog hide what state says, and nothing else: it may have missed a decision either way."""
        decided = {entry.study_uid for entry in self._state.trash()}
        for study_uid in decided.symmetric_difference(self._catalog.trashed()):
            self._catalog.set_trashed(study_uid, study_uid in decided)
        hidden, told = {entry.sop_instance_uid for entry in self._state.instance_trash()}, set(self._catalog.hidden())
        for uids, hide in ((hidden - told, True), (told - hidden, False)):
            if uids:
                self._catalog.set_hidden(sorted(uids), hide)

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
