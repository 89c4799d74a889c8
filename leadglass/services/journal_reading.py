"""Reading the journal: searching, handing it out, proving that nothing of it was changed. All of it is journalled."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from leadglass.core.audit import JournalBook, JournalEntry, JournalFilter, Proof
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent, Outcome
from leadglass.core.ports import Journal, State
from leadglass.core.principal import Principal, Right
from leadglass.services.admission import EventSink
from leadglass.services.admit import Gate, use_case
from leadglass.services.journal_export import ExportForm, exported

SECOND: Final = 1_000_000_000  # nanoseconds
MOST_ON_A_PAGE: Final = 500
SILENT: Final = 60 * SECOND  # a verification that says nothing for so long has ended with its process
VERIFIED: Final = "journal-verified"  # the setting that tells how the last verification ended
VERIFYING: Final = "journal-verifying"  # ... and how far the one at work is
_BEAT: Final = SECOND  # between two notes of that
_MOST_TOLD: Final = 20  # problems and notes that are kept

Place = tuple[int, bytes, int]


@dataclass(frozen=True, slots=True)
class JournalPage:
    """Entries, the newest first, whether there are older ones, and files that do not read whole, a sentence each."""

    entries: tuple[JournalEntry, ...]
    more: bool
    damage: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verified:
    """How the last verification ended: when (ns since the epoch), for whom, over how many entries."""

    at: int
    by: str
    entries: int
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    more_problems: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """The last verification, and how far one at work is (files done, files in all)."""

    last: Verified | None
    running: tuple[int, int] | None


class JournalReading:
    """Search, export and verify. `repeated` takes events that come again and again; `now` is in nanoseconds."""

    def __init__(
        self,
        gate: Gate,
        book: JournalBook,
        journal: Journal,
        state: State,
        *,
        repeated: EventSink,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self.gate = gate
        self._book = book
        self._journal = journal
        self._state = state
        self._repeated = repeated
        self._now = now
        self._closing = threading.Event()
        self.at_work: threading.Thread | None = None

    @use_case(Right.READ_JOURNAL, EventKind.AUDIT_LOG_USED)
    def page(self, principal: Principal, wanted: JournalFilter, count: int, before: Place | None = None) -> JournalPage:
        """The `count` newest entries (MOST_ON_A_PAGE at most) ahead of `before`."""
        self._note(principal, "journal-read")
        count = max(1, min(count, MOST_ON_A_PAGE))
        damage: list[str] = []
        found = self._book.newest(wanted, count + 1, before, damage.append)
        return JournalPage(tuple(found[:count]), len(found) > count, tuple(damage))

    @use_case(Right.READ_JOURNAL, EventKind.AUDIT_LOG_USED)
    def export(self, principal: Principal, wanted: JournalFilter, form: ExportForm) -> Iterator[str]:
        """All that is wanted, the oldest first, as text; in the journal, durably, before the first leaves."""
        self._note(principal, "journal-exported", durable=True)
        return exported(self._book, wanted, form)

    @use_case(Right.READ_JOURNAL, EventKind.AUDIT_LOG_USED)
    def standing(self, principal: Principal) -> Standing:
        """How the journal was last verified. Asked again and again while a verification is at work."""
        what, kind = "journal-verification-read", EventKind.AUDIT_LOG_USED
        self._repeated.record(JournalEvent(kind, what, principal.name, principal.address))
        return Standing(_verified(self._state.setting(VERIFIED)), self._running())

    @use_case(Right.READ_JOURNAL, EventKind.AUDIT_LOG_USED)
    def verify(self, principal: Principal) -> None:
        """Begin to verify the whole journal, in the background; nothing new begins while one is at work."""
        self._note(principal, "journal-verification-begun")
        if self._running() is not None:
            return
        self._beat(0, 0)
        work = threading.Thread(target=self._verify, args=(principal,), name="verify", daemon=True)
        self.at_work = work
        work.start()

    def close(self) -> None:
        """End a verification at work; called by the composition root."""
        self._closing.set()
        if self.at_work is not None:
            self.at_work.join()

    def _verify(self, principal: Principal) -> None:
        said = 0

        def progress(done: int, total: int) -> None:
            nonlocal said
            if self._closing.is_set():
                raise LeadglassError(ErrorCode.CANCELLED, "The archive stops.")
            if self._now() - said >= _BEAT:
                said = self._now()
                self._beat(done, total)

        try:
            self._keep(principal, self._book.verify(progress))
        except (LeadglassError, OSError) as error:  # a file that cannot be read: the last result stays, and its date
            if not isinstance(error, LeadglassError) or error.code is not ErrorCode.CANCELLED:
                self._note(principal, "journal-verification-failed", Outcome.SERIOUS_FAILURE)
        finally:
            with contextlib.suppress(LeadglassError):
                self._state.put_setting(VERIFYING, "")

    def _keep(self, principal: Principal, proof: Proof) -> None:
        outcome = Outcome.SERIOUS_FAILURE if proof.problems else Outcome.SUCCESS
        self._note(principal, "journal-verified", outcome, problems=len(proof.problems), entries=proof.entries)
        plain = {
            "at": self._now(),
            "by": principal.name,
            "entries": proof.entries,
            "problems": proof.problems[:_MOST_TOLD],
            "notes": proof.notes[:_MOST_TOLD],
            "more_problems": max(0, len(proof.problems) - _MOST_TOLD),
        }
        self._state.put_setting(VERIFIED, json.dumps(plain))

    def _beat(self, done: int, total: int) -> None:
        self._state.put_setting(VERIFYING, json.dumps([self._now(), done, total]))

    def _running(self) -> tuple[int, int] | None:
        """Another process may be at it: they share the state."""
        text = self._state.setting(VERIFYING)
        if not text:
            return None
        at, done, total = json.loads(text)
        return (int(done), int(total)) if 0 <= self._now() - int(at) < SILENT else None

    def _note(
        self,
        principal: Principal,
        what: str,
        outcome: Outcome = Outcome.SUCCESS,
        *,
        durable: bool = False,
        **details: int,
    ) -> None:
        event = JournalEvent(
            EventKind.AUDIT_LOG_USED, what, principal.name, principal.address, outcome, details=details
        )
        self._journal.record(event, durable=durable)


def _verified(text: str | None) -> Verified | None:
    if not text:
        return None
    plain = json.loads(text)
    return Verified(
        plain["at"],
        plain["by"],
        plain["entries"],
        tuple(plain["problems"]),
        tuple(plain["notes"]),
        plain["more_problems"],
    )
