"""The trash: deleted studies wait for 30 days and can be brought back. Decisions in state, hiding in the catalog."""

from __future__ import annotations

import time

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent
from leadglass.core.identity import InstanceIdentity
from leadglass.core.ports import Catalog, Journal, State, TrashedStudy
from leadglass.core.principal import Principal, Right
from leadglass.core.query import Level, Selection
from leadglass.services.admit import Gate, use_case

RETENTION_DAYS = 30


class Trash:
    """Delete and undelete, by study."""

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
        """Bring back the study of an instance that was sent again, or that arrived anew.

        It is part of a store, and stores do not wait for the journal: one that fails loses no image.
        """
        self._restore(identity.study_uid)
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

    def _note(self, principal: Principal, what: str, study_uid: str, *, durable: bool = True) -> None:
        details = {"study": study_uid}
        event = JournalEvent(EventKind.STUDY_DELETED, what, principal.name, principal.address, details=details)
        self._journal.record(event, durable=durable)
