"""What stands behind the DICOM door: the use cases it translates for, handed in by the composition root."""

from __future__ import annotations

from dataclasses import dataclass, field

from leadglass.core.device import Device
from leadglass.core.errors import LeadglassError
from leadglass.core.events import EventKind, JournalEvent, Outcome
from leadglass.core.ports import Journal, Sender
from leadglass.core.principal import Principal
from leadglass.scp.operations import Peer
from leadglass.services.admission import Admission
from leadglass.services.find import Find
from leadglass.services.ingest import Ingest
from leadglass.services.retrieve import Retrieve


@dataclass(slots=True)
class Counters:
    """What `stats` shows of the door."""

    associations: int = 0
    refused: int = 0
    failed: int = 0


@dataclass(slots=True)
class Doorway:
    """The services of one archive, as the DICOM door uses them."""

    admission: Admission
    ingest: Ingest
    find: Find
    retrieve: Retrieve
    sender: Sender
    journal: Journal
    counters: Counters = field(default_factory=Counters)

    def destination(self, principal: Principal, title: str) -> Device:
        """Where a C-MOVE goes; see Admission.destination."""
        return self.admission.destination(principal, title)

    def note_failed_store(self, peer: Peer, error: LeadglassError) -> None:
        """Journal a store that was answered with a failure: its code, no value of the data set."""
        self.counters.failed += 1
        self.journal.record(
            JournalEvent(
                EventKind.INSTANCES_TRANSFERRED,
                "store-failed",
                peer.principal.name,
                peer.principal.address,
                Outcome.MINOR_FAILURE,
                {"code": error.code.value, "reason": error.comment},
            )
        )
