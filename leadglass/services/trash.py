"""The trash: deleted studies and instances wait for 30 days and can be brought back. Decisions in state, hiding in the
catalog. A series in the trash is those of its instances that there were: what arrives later is not hidden by it."""

from __future__ import annotations

import time
from collections import Counter

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent
from leadglass.core.identity import InstanceIdentity
from leadglass.core.ports import Catalog, Journal, State, TrashedInstance, TrashedStudy
from leadglass.core.principal import Principal, Right
from leadglass.core.query import Level, Selection
from leadglass.services.admit import Gate, use_case

RETENTION_DAYS = 30


class Trash:
    """Delete and undelete, by study or by what a study holds."""

    def __init__(self, gate: Gate, state: State, catalog: Catalog, journal: Journal) -> None:
        self.gate = gate
        self._state = state
        self._catalog = catalog
        self._journal = journal

    @use_case(Right.DELETE, EventKind.STUDY_DELETED)
    def delete(self, principal: Principal, selection: Selection, reason: str) -> list[str]:
        """Put the studies of `selection` into the trash; their UIDs. NOT_FOUND if it selects none."""
        studies = self._catalog.studies_of(selection)
        if not studies:
            raise LeadglassError(ErrorCode.NOT_FOUND, "Nothing matches what is to be deleted.")
        for study_uid in studies:
            self._note(principal, "study-trashed", study_uid)
            self._state.put_trash(TrashedStudy(study_uid, time.time_ns(), principal.name, reason))
            self._catalog.set_trashed(study_uid, True)
        return studies

    @use_case(Right.DELETE, EventKind.STUDY_DELETED)
    def undelete(self, principal: Principal, study_uids: list[str]) -> list[str]:
        """Bring studies back; the UIDs that were in the trash. NOT_FOUND if none was."""
        trashed = {entry.study_uid for entry in self._state.trash()}
        restored = [uid for uid in dict.fromkeys(self._reached(principal, study_uids)) if uid in trashed]
        if not restored:
            raise LeadglassError(ErrorCode.NOT_FOUND, "None of these studies is in the trash.")
        for study_uid in restored:
            self._note(principal, "study-restored", study_uid)
            self._restore(study_uid)
        return restored

    @use_case(Right.DELETE, EventKind.STUDY_DELETED)
    def delete_instances(self, principal: Principal, selection: Selection, reason: str) -> int:
        """Put the instances of `selection` (within reach) into the trash, each by itself; how many. NOT_FOUND if it
        selects none."""
        found = [stored.identity for stored in self._catalog.select(selection)]
        if not found:
            raise LeadglassError(ErrorCode.NOT_FOUND, "Nothing matches what is to be deleted.")
        self._note_instances(principal, "instances-trashed", found)
        now = time.time_ns()
        self._state.put_instance_trash(
            [
                TrashedInstance(it.sop_instance_uid, it.study_uid, it.series_uid, now, principal.name, reason)
                for it in found
            ]
        )
        self._catalog.set_hidden([it.sop_instance_uid for it in found], True)
        return len(found)

    @use_case(Right.DELETE, EventKind.STUDY_DELETED)
    def undelete_instances(self, principal: Principal, selection: Selection) -> int:
        """Bring back the instances of `selection` (within reach) that were put into the trash by themselves; how many.
        NOT_FOUND if there is none, or their study lies in the trash as a whole."""
        found = [stored.identity for stored in self._catalog.hidden_of(selection)]
        if not found:
            raise LeadglassError(ErrorCode.NOT_FOUND, "Nothing of this is in the trash by itself.")
        self._note_instances(principal, "instances-restored", found)
        self._show([it.sop_instance_uid for it in found])
        return len(found)

    @use_case(Right.DELETE, EventKind.APPLICATION_ACTIVITY)
    def instance_entries(self, principal: Principal) -> list[TrashedInstance]:
        """The instances in the trash by themselves, as far as the principal reaches; those of studies that lie there as
        a whole are told with their study."""
        event = JournalEvent(EventKind.APPLICATION_ACTIVITY, "trash-listed", principal.name, principal.address)
        self._journal.record(event, durable=True)
        entries = self._state.instance_trash()
        studies = tuple(dict.fromkeys(entry.study_uid for entry in entries))
        named = Selection(Level.STUDY, study_uids=studies, reach=principal.reach)
        reached = {stored.identity.sop_instance_uid for stored in self._catalog.hidden_of(named)}
        return [entry for entry in entries if entry.sop_instance_uid in reached]

    @use_case(Right.DELETE, EventKind.APPLICATION_ACTIVITY)
    def entries(self, principal: Principal) -> list[TrashedStudy]:
        """What is in the trash, as far as the principal reaches."""
        event = JournalEvent(EventKind.APPLICATION_ACTIVITY, "trash-listed", principal.name, principal.address)
        self._journal.record(event, durable=True)
        entries = self._state.trash()
        reached = set(self._reached(principal, [entry.study_uid for entry in entries]))
        return [entry for entry in entries if entry.study_uid in reached]

    @use_case(Right.STORE, EventKind.STUDY_DELETED)
    def restore_for_resend(self, principal: Principal, identity: InstanceIdentity) -> None:
        """Bring back an instance that was sent again, and its study, or the study of one that arrived anew.

        It is part of a store, and stores do not wait for the journal: one that fails loses no image.
        """
        self._restore(identity.study_uid)
        self._show([identity.sop_instance_uid])
        self._note(principal, "study-restored", identity.study_uid, durable=False)

    def _reached(self, principal: Principal, study_uids: list[str]) -> list[str]:
        """Those of `study_uids` that the principal reaches; a limited reach holds only what is catalogued."""
        if principal.reach.everything:
            return study_uids
        named = Selection(Level.STUDY, study_uids=tuple(study_uids), reach=principal.reach)
        return self._catalog.studies_of(named)

    def _restore(self, study_uid: str) -> None:
        self._state.remove_trash(study_uid)
        self._catalog.set_trashed(study_uid, False)

    def _show(self, sop_instance_uids: list[str]) -> None:
        self._state.remove_instance_trash(sop_instance_uids)
        self._catalog.set_hidden(sop_instance_uids, False)

    def _note_instances(self, principal: Principal, what: str, found: list[InstanceIdentity]) -> None:
        """An event for each study, durable before anything is done."""
        for study_uid, count in Counter(it.study_uid for it in found).items():
            self._note(principal, what, study_uid, instances=count)

    def _note(self, principal: Principal, what: str, study_uid: str, *, durable: bool = True, **counts: int) -> None:
        details: dict[str, str | int] = {"study": study_uid, **counts}
        event = JournalEvent(EventKind.STUDY_DELETED, what, principal.name, principal.address, details=details)
        self._journal.record(event, durable=durable)
