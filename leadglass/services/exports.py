"""Encrypted copies for another practice: a passphrase first, then the file that it opens.

Nothing is kept: the passphrase is derived from a ticket that is good for one person, one study and half an hour, so the
file can be made later, while it is sent, without the passphrase ever being in a URL, a form or the state.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from leadglass.access.one_time import TICKET_RANDOM, derived, ticket, ticket_ends
from leadglass.access.share_links import passphrase_of
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent
from leadglass.core.ports import Catalog, Journal
from leadglass.core.principal import Principal, PrincipalKind, Right
from leadglass.core.query import Selection
from leadglass.services.admit import Gate, use_case

LASTS: Final = 30 * 60 * 1_000_000_000  # nanoseconds: time to write the passphrase down and to begin
NO_TICKET: Final = "This took too long; ask for a new passphrase."
NOT_THERE: Final = "There is no such study here."


@dataclass(frozen=True, slots=True)
class OfferedExport:
    """A passphrase, shown this once, and the ticket by which its file is fetched."""

    ticket: str = field(repr=False)
    passphrase: str = field(repr=False)


class Exports:
    """Encrypted copies of studies. `now` is in nanoseconds."""

    def __init__(
        self,
        gate: Gate,
        *,
        catalog: Catalog,
        journal: Journal,
        token_key: bytes,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self.gate = gate
        self._catalog = catalog
        self._journal = journal
        self._key = token_key
        self._now = now

    @use_case(Right.RETRIEVE, EventKind.APPLICATION_ACTIVITY)
    def offer(self, principal: Principal, selection: Selection) -> OfferedExport:
        """A passphrase for a copy of a study within the principal's, a person's, reach. NOT_FOUND if there is none."""
        purpose = self._purpose(principal, selection)
        if not self._catalog.series_states(selection):
            raise LeadglassError(ErrorCode.NOT_FOUND, NOT_THERE)
        self._note(principal, EventKind.APPLICATION_ACTIVITY, "export-offered", selection)
        text = ticket(self._key, purpose, secrets.token_bytes(TICKET_RANDOM), self._now() + LASTS)
        return OfferedExport(text, self._passphrase(text))

    @use_case(Right.RETRIEVE, EventKind.DATA_EXPORT)
    def redeem(self, principal: Principal, selection: Selection, text: str) -> str:
        """The passphrase with which the copy is to be encrypted: it is in the journal that it leaves. NOT_AUTHORISED
        if the ticket is not this person's, of this study, and still good."""
        if ticket_ends(self._key, self._purpose(principal, selection), text, self._now()) is None:
            raise LeadglassError(ErrorCode.NOT_AUTHORISED, NO_TICKET)
        if not self._catalog.series_states(selection):
            raise LeadglassError(ErrorCode.NOT_FOUND, NOT_THERE)
        self._note(principal, EventKind.DATA_EXPORT, "exported-encrypted", selection)
        return self._passphrase(text)

    def _passphrase(self, text: str) -> str:
        return passphrase_of(derived(self._key, "export", text))

    def _purpose(self, principal: Principal, selection: Selection) -> str:
        if principal.kind is not PrincipalKind.PERSON:
            raise LeadglassError(ErrorCode.NOT_AUTHORISED, "Only people make encrypted copies, at the pages.")
        words = f"export:{principal.name}:{','.join(selection.study_uids)}"
        if not words.isascii():
            raise LeadglassError(ErrorCode.NOT_FOUND, NOT_THERE)
        return words

    def _note(self, principal: Principal, kind: EventKind, what: str, selection: Selection) -> None:
        for study in selection.study_uids:
            event = JournalEvent(kind, what, principal.name, principal.address, details={"study_uid": study})
            self._journal.record(event, durable=True)
