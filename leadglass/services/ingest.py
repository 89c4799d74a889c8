"""Ingest: an instance arrives in pieces, is encrypted as it comes, and is answered when it is durable and known.

A Reception is driven by a door: `feed` takes bytes and never blocks; when `congested` is true the door stops reading
and awaits `relieve`; `complete` ends it. Until the scan has seen the Study Instance UID the bytes wait in memory
(bounded by the scan's own limit), because the study key is not known before.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TypeVar

from leadglass.core.device import DuplicatePolicy
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent, Outcome
from leadglass.core.identity import InstanceIdentity, KeyScope, PatientKey
from leadglass.core.limits import MAX_HEADER_BYTES, MAX_UNREAD_VERSION_BYTES, MAX_UNREAD_VERSIONS, SMALL_RECORD
from leadglass.core.ports import AddOutcome, Catalog, Journal, RecordWriter, StudyKey, Vault
from leadglass.core.principal import Principal, PrincipalKind, Right
from leadglass.core.query import Level, Selection
from leadglass.core.reach import EVERYTHING, Reach
from leadglass.core.records import InstanceEntry, Location, RecordTrailer, StoredInstance
from leadglass.dicom.defects import value_defects
from leadglass.dicom.names import normalise_text
from leadglass.dicom.scan import HeaderScan, HeaderScanner
from leadglass.services.admit import Gate, use_case
from leadglass.services.budget import BufferBudget
from leadglass.services.compare import is_whole, same_values
from leadglass.services.group_commit import GroupCommit
from leadglass.services.identify import identity_of, key_scope_of
from leadglass.services.receipts import Receipts
from leadglass.services.trash import Trash

T = TypeVar("T")

COMPARABLE = 64 * 1024 * 1024  # a resend up to this size is compared by value, above it by digest only


@dataclass(frozen=True, slots=True)
class Announced:
    """What a sender says before the data set, and the defaults of its device."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    issuer: str = ""
    assumed_character_set: str = "ISO_IR 100"
    duplicates: DuplicatePolicy = DuplicatePolicy.VERSION
    file_meta: bytes = b""
    study_uid: str = ""  # of which it must be, where the sender named one


class StoreOutcome(Enum):
    """How a store ended, all of them successes."""

    STORED = "stored"
    ALREADY_THERE = "already-there"
    RESTORED = "restored"
    VERSION = "version"


@dataclass(frozen=True, slots=True)
class StoreResult:
    """The outcome, and defects that were tolerated (fixed phrases, no values)."""

    outcome: StoreOutcome
    identity: InstanceIdentity
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Tools:
    vault: Vault
    catalog: Catalog
    journal: Journal
    commit: GroupCommit
    budget: BufferBudget
    trash: Trash
    threads: ThreadPoolExecutor
    same_values: Callable[[bytes, str, StoredInstance], bool]
    receipts: Receipts


class Ingest:
    """The use case behind C-STORE, STOW-RS and import."""

    def __init__(
        self,
        gate: Gate,
        *,
        vault: Vault,
        catalog: Catalog,
        journal: Journal,
        trash: Trash,
        threads: ThreadPoolExecutor,
        budget: BufferBudget,
    ) -> None:
        self.gate = gate
        compare = functools.partial(same_values, vault)
        self._commit = GroupCommit(vault, catalog)
        receipts = Receipts(catalog.last_order)
        self._tools = _Tools(vault, catalog, journal, self._commit, budget, trash, threads, compare, receipts)

    @use_case(Right.STORE, EventKind.INSTANCES_TRANSFERRED)
    def begin(self, principal: Principal, announced: Announced) -> Reception:
        """A reception for one instance. The store's journal event rides in the record itself."""
        return Reception(self._tools, principal, announced)

    @use_case(Right.STORE, EventKind.INSTANCES_TRANSFERRED)
    def note_failed(self, principal: Principal, error: LeadglassError, count: int) -> None:
        """Journal that `count` instances were refused for `error`: its code and comment, no value of a data set."""
        details = {"code": error.code.value, "reason": error.comment, "count": count}
        kind, who = EventKind.INSTANCES_TRANSFERRED, principal
        event = JournalEvent(kind, "store-failed", who.name, who.address, Outcome.MINOR_FAILURE, details)
        self._tools.journal.record(event)

    @property
    def facts(self) -> Mapping[str, int]:
        """Instances stored by this process, those that wait for the disk, and bytes that wait in memory."""
        return {"stored": self._commit.stored, "queued": self._commit.waiting, "buffered": self._tools.budget.used}

    def close(self) -> None:
        """Finish what was submitted; the door is closed before."""
        self._commit.close()


@dataclass(slots=True)
class _Progress:
    head: bytearray = field(default_factory=bytearray)  # bytes before a writer exists
    plain: bytearray | None = None  # kept to compare with the instance already stored
    counted: int = 0  # bytes taken from the budget
    writer: RecordWriter | None = None
    key: StudyKey | None = None
    scope: KeyScope | None = None
    length: int = 0
    in_thread: bool = False  # a thread works with the writer: bytes wait in `head` meanwhile


class Reception:
    """One instance on its way in. Not to be used again after `complete` or `abort`."""

    def __init__(self, tools: _Tools, principal: Principal, announced: Announced) -> None:
        self._tools = tools
        self._principal = principal
        self._announced = announced
        self._scanner = HeaderScanner(announced.transfer_syntax_uid)
        self._progress = _Progress()
        self._mends = False  # the stored one is damaged, and this is the same
        self._existing = tools.catalog.lookup(announced.sop_instance_uid)
        if self._existing is not None:
            self._progress.plain = bytearray()

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take more of the data set. LeadglassError UNPARSABLE as soon as it is known to be bad."""
        progress = self._progress
        progress.length += len(data)
        self._scanner.feed(data)
        if progress.plain is not None:
            self._keep_plain(data)
        if progress.in_thread:
            progress.head += data
        elif progress.writer is not None:
            progress.writer.write(data)
        else:
            progress.head += data
            self._try_begin()
        held = (progress.writer.buffered if progress.writer is not None else 0) + len(progress.head)
        self._recount(held + (len(progress.plain) if progress.plain is not None else 0))

    @property
    def congested(self) -> bool:
        """Whether the door should stop reading and await `relieve`."""
        progress = self._progress
        if progress.writer is None:
            return progress.scope is not None or self._tools.budget.exhausted
        return progress.writer.buffered > SMALL_RECORD or self._tools.budget.exhausted

    async def relieve(self) -> None:
        """Make the study key, spill a large record, or wait for room. OUT_OF_RESOURCES if there is none."""
        progress = self._progress
        if progress.writer is None and progress.scope is not None:
            await self._require_reach(progress.scope.study_uid, progress.scope.patient)
            await self._make_key(progress.scope)
        if progress.writer is not None and progress.writer.buffered > SMALL_RECORD:
            progress.in_thread = True
            try:
                await self._in_thread(progress.writer.spill)
            finally:
                progress.in_thread = False
                if progress is not self._progress:  # aborted meanwhile: the thread had the writer, now it may go
                    progress.writer.abort()
            if progress is not self._progress:
                return
            progress.writer.write(progress.head)
            progress.head = bytearray()
            self._recount(progress.writer.buffered)
        if self._tools.budget.exhausted:
            await self._tools.budget.room()

    async def complete(self) -> StoreResult:
        """End of the data set: check, store, and return once it is durable and in the catalog.

        Raises LeadglassError NOT_AUTHORISED (the study lies outside the principal's reach), UNPARSABLE, MISSING_UID,
        IDENTITY_MISMATCH, INVALID_UID, DUPLICATE_REFUSED, OUT_OF_RESOURCES or INTERNAL; nothing is visible then.
        """
        try:
            return await self._complete()
        finally:
            if self._progress.key is not None:  # while the sender reads its answer, not while it waits for one
                asyncio.get_running_loop().call_soon(self._tools.vault.prepare, self._progress.key)
            self.abort()

    def abort(self) -> None:
        """Forget the instance. Harmless after `complete`."""
        if self._progress.writer is not None and not self._progress.in_thread:
            self._progress.writer.abort()
        self._recount(0)
        self._progress = _Progress()

    async def _complete(self) -> StoreResult:
        scan = self._scanner.finish()
        identity = identity_of(scan, self._announced)
        progress = self._progress
        await self._require_reach(identity.study_uid, identity.patient)
        masked = self._existing is not None and not await self._reaches(self._existing)
        if masked:
            self._existing = None  # the sender may not learn that another study has this SOP Instance UID
        if progress.scope is not None and progress.scope != KeyScope.of(identity):
            # An identifier came out of order, after its bytes were sealed under another study's key.
            raise LeadglassError(ErrorCode.UNPARSABLE, "Identifiers of patient or study are out of order.")
        if progress.writer is None:
            await self._make_key(progress.scope or KeyScope.of(identity))
        writer = progress.writer
        assert writer is not None
        digest = writer.digest()
        if self._existing is not None:
            settled = await self._settle_resend(self._existing, digest, identity, scan)
            if settled is not None:
                return settled
        if masked:
            await self._in_thread(lambda: self._ask_for_version(identity))
        result = await self._store(writer, identity, scan, digest)
        return replace(result, outcome=StoreOutcome.STORED) if masked else result

    async def _require_reach(self, study_uid: str, patient: PatientKey) -> None:
        """Into a study that is there all of it must be reached; a new one must be named by its UID or its patient, or
        come from a person of an institution: that is who sends it then."""
        reach = self._principal.reach
        if reach.everything:
            return
        if await self._known(study_uid, EVERYTHING):
            allowed = await self._known(study_uid, reach)
        else:
            named = reach.names(study_uid, patient.issuer, patient.patient_id)
            person = self._principal.kind is PrincipalKind.PERSON
            allowed = named or (person and reach.of_institution(normalise_text(self._principal.institution)))
        if not allowed:
            who, details = self._principal, {"sop_class": self._announced.sop_class_uid, "study": study_uid}
            kind, what = EventKind.SECURITY_ALERT, "store-refused"
            self._tools.journal.record(
                JournalEvent(kind, what, who.name, who.address, Outcome.SERIOUS_FAILURE, details)
            )
            raise LeadglassError(ErrorCode.NOT_AUTHORISED, "This study may not be stored to with these rights.")

    async def _reaches(self, served: StoredInstance) -> bool:
        reach = self._principal.reach
        return reach.everything or await self._known(served.identity.study_uid, reach)

    async def _known(self, study_uid: str, reach: Reach) -> bool:
        """Whether there is a study of that UID, all of it within `reach`."""
        named = Selection(Level.STUDY, study_uids=(study_uid,) if study_uid else (), reach=reach)
        return bool(await self._in_thread(lambda: self._tools.catalog.studies_of(named)))

    async def _store(
        self, writer: RecordWriter, identity: InstanceIdentity, scan: HeaderScan, digest: bytes
    ) -> StoreResult:
        announced, principal = self._announced, self._principal
        received_at, order = self._tools.receipts.stamp()
        trailer = RecordTrailer(
            identity=identity,
            transfer_syntax_uid=announced.transfer_syntax_uid,
            received_at=received_at,
            digest=digest,
            principal=principal.name,
            ae_title=principal.ae_title,
            address=principal.address,
            institution=principal.institution,
            assumed_character_set=announced.assumed_character_set,
            file_meta=announced.file_meta,
            order=order,
            mends=self._mends,
        )
        large = self._progress.length > SMALL_RECORD
        sealed = await self._in_thread(lambda: writer.finish(trailer)) if large else writer.finish(trailer)
        assert self._progress.key is not None
        key_id = self._progress.key.key_id

        def entry_at(location: Location) -> InstanceEntry:
            return InstanceEntry(trailer, location, key_id, scan.values)

        committing = self._tools.commit.submit(sealed, entry_at)
        # While the disk works:
        warnings = scan.warnings + value_defects(scan, identity.sop_class_uid, announced.assumed_character_set)
        outcome, in_trash = await committing
        if self._existing is not None:
            await self._out_of_trash(self._existing.identity)
        elif in_trash:
            await self._restore(identity)
        if warnings:
            self._note("tolerated-defects", identity, warnings)
        if outcome is AddOutcome.VERSION:
            self._note("stored-as-version", identity, ())
            return StoreResult(StoreOutcome.VERSION, identity, warnings)
        return StoreResult(StoreOutcome.STORED, identity, warnings)

    async def _settle_resend(
        self, existing: StoredInstance, digest: bytes, identity: InstanceIdentity, scan: HeaderScan
    ) -> StoreResult | None:
        """What to answer if the instance need not be stored; None if it is to be stored as a further version."""
        same = existing.digest == digest and existing.transfer_syntax_uid == self._announced.transfer_syntax_uid
        plain = self._progress.plain
        if not same and plain is not None:
            compare, syntax = self._tools.same_values, self._announced.transfer_syntax_uid
            same = await self._in_thread(lambda: compare(bytes(plain), syntax, existing))
        if same and not await self._in_thread(lambda: is_whole(self._tools.vault, existing)):
            self._mends = True
            self._note("damaged-instance-sent-again", identity, (), Outcome.SERIOUS_FAILURE)
            return None
        if same:
            restored = await self._out_of_trash(existing.identity)
            outcome = StoreOutcome.RESTORED if restored else StoreOutcome.ALREADY_THERE
            return StoreResult(outcome, identity, scan.warnings)
        if self._announced.duplicates is DuplicatePolicy.REFUSE:
            self._note("duplicate-refused", identity, (), Outcome.MINOR_FAILURE)
            raise LeadglassError(
                ErrorCode.DUPLICATE_REFUSED, "Another object with this SOP Instance UID is stored.", tags=(0x00080018,)
            )
        await self._in_thread(lambda: self._ask_for_version(identity))
        return None

    def _ask_for_version(self, identity: InstanceIdentity) -> None:
        """OUT_OF_RESOURCES if too many versions wait for a person already: no sender fills the disk with them."""
        count, size = self._tools.catalog.unread()
        if count < MAX_UNREAD_VERSIONS and size + self._progress.length <= MAX_UNREAD_VERSION_BYTES:
            return
        self._note("version-quota-reached", identity, (), Outcome.MINOR_FAILURE)
        raise LeadglassError(
            ErrorCode.OUT_OF_RESOURCES, "Too many versions wait for a decision; see conflicts.", tags=(0x00080018,)
        )

    async def _out_of_trash(self, served: InstanceIdentity) -> bool:
        """Bring back the study of the served instance if it lies in the trash: what is acknowledged is never hidden."""
        if not self._tools.catalog.is_trashed(served.sop_instance_uid):
            return False
        await self._restore(served)
        return True

    async def _restore(self, served: InstanceIdentity) -> None:
        await self._in_thread(lambda: self._tools.trash.restore_for_resend(self._principal, served))

    def _keep_plain(self, data: bytes | bytearray | memoryview) -> None:
        plain = self._progress.plain
        assert plain is not None
        if len(plain) + len(data) > COMPARABLE:
            self._progress.plain = None
        else:
            plain += data

    def _try_begin(self) -> None:
        progress = self._progress
        if progress.scope is None:
            if not self._scanner.identified:
                if len(progress.head) > MAX_HEADER_BYTES:
                    raise LeadglassError(ErrorCode.UNPARSABLE, "No Study Instance UID within the header limit.")
                return
            progress.scope = key_scope_of(self._scanner.values, self._announced)
        if progress.scope is None:
            return
        key = self._tools.vault.known_key(progress.scope)
        if key is not None:
            self._begin_writing(key)

    async def _make_key(self, scope: KeyScope) -> None:
        progress = self._progress
        progress.in_thread = True
        try:
            key = await self._in_thread(lambda: self._tools.vault.obtain_key(scope))
        finally:
            progress.in_thread = False
        self._begin_writing(key)

    def _begin_writing(self, key: StudyKey) -> None:
        progress = self._progress
        progress.key = key
        progress.writer = self._tools.vault.begin(key)
        progress.writer.write(progress.head)
        progress.head = bytearray()

    def _recount(self, held: int) -> None:
        change = held - self._progress.counted
        if change > 0:
            self._tools.budget.take(change)
        elif change < 0:
            self._tools.budget.give_back(-change)
        self._progress.counted = held

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._tools.threads, work)

    def _note(
        self, what: str, identity: InstanceIdentity, warnings: tuple[str, ...], outcome: Outcome = Outcome.SUCCESS
    ) -> None:
        details: dict[str, str | int] = {"sop_class": identity.sop_class_uid, "study": identity.study_uid}
        if warnings:
            details["warnings"] = "; ".join(warnings[:8])
        self._tools.journal.record(
            JournalEvent(
                EventKind.INSTANCES_TRANSFERRED, what, self._principal.name, self._principal.address, outcome, details
            )
        )
