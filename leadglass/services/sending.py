"""Sending a study to an enrolled device, for a person who waits at a page: what C-MOVE does, asked for by hand."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final

from leadglass.core.device import Device
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent, Outcome
from leadglass.core.jobs import JobBoard, JobState, SendJob
from leadglass.core.ports import Journal, Sender, State
from leadglass.core.principal import Principal, Right
from leadglass.core.query import Selection
from leadglass.core.records import StoredInstance
from leadglass.services.admit import Gate, use_case
from leadglass.services.retrieve import Retrieve

MAX_JOBS: Final = 4  # of one process at a time: each holds an association and reads ahead
TELL_SECONDS: Final = 0.5
LOST: Final = 120 * 1_000_000_000  # nanoseconds without a word: the process is gone, or its peer holds it up for good

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Errand:
    """What is sent for whom, and whether that may go on."""

    principal: Principal
    selection: Selection
    device: Device
    instances: list[StoredInstance]
    still_valid: Callable[[], bool]


class Sending:
    """Choose a device, send, and see how far it is."""

    def __init__(
        self,
        gate: Gate,
        state: State,
        journal: Journal,
        *,
        retrieve: Retrieve,
        sender: Sender,
        board: JobBoard,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self.gate = gate
        self._state = state
        self._journal = journal
        self._retrieve = retrieve
        self._sender = sender
        self._board = board
        self._now = now
        self._tasks: set[asyncio.Task[None]] = set()

    @use_case(Right.RETRIEVE, EventKind.APPLICATION_ACTIVITY)
    def destinations(self, principal: Principal) -> list[str]:
        """Names of the devices that can be sent to."""
        found = sorted(device.name for device in self._state.devices() if _receives(device))
        self._note(principal, EventKind.APPLICATION_ACTIVITY, "destinations-listed", {"answers": len(found)})
        return found

    @use_case(Right.RETRIEVE, EventKind.BEGIN_TRANSFER)
    async def begin(
        self, principal: Principal, selection: Selection, device: str, still_valid: Callable[[], bool] = lambda: True
    ) -> SendJob:
        """Send what is selected to a device, in the background; `still_valid` says meanwhile whether that may go on.

        NOT_FOUND if nothing is there, USAGE if no such device receives, OVER_QUOTA while too much is being sent.
        """
        destination = self._state.device(device)
        if destination is None or not _receives(destination):
            raise LeadglassError(ErrorCode.USAGE, "No device of that name receives images.")
        if len(self._tasks) >= MAX_JOBS:
            raise LeadglassError(ErrorCode.USAGE, "Other studies are being sent: try again in a minute.")
        instances = await self._retrieve.select(principal, selection)
        if not instances:
            raise LeadglassError(ErrorCode.NOT_FOUND, "There is no such study here.")
        job = SendJob(secrets.token_hex(16), principal.name, subject_of(selection), device, len(instances))
        self._note(principal, EventKind.BEGIN_TRANSFER, "sending-began", _details(job, selection), durable=True)
        self._tell(job)
        errand = _Errand(principal, selection, destination, instances, still_valid)
        task = asyncio.get_running_loop().create_task(self._run(errand, job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    @use_case(Right.RETRIEVE, EventKind.BEGIN_TRANSFER)
    def job(self, principal: Principal, identifier: str) -> SendJob:
        """How far an own job is; its beginning and end are in the journal. NOT_FOUND."""
        found = self._board.get(identifier)
        if found is None or found.owner != principal.name:
            raise LeadglassError(ErrorCode.NOT_FOUND, "There is no such job here.")
        lost = found.state is JobState.RUNNING and self._now() - found.seen > LOST
        return replace(found, state=JobState.STOPPED) if lost else found

    async def _run(self, errand: _Errand, job: SendJob) -> None:
        try:
            job = await self._send(errand, job)
        except LeadglassError as error:
            job = replace(job, state=JobState.FAILED, failed=job.total - job.sent, why=error.comment)
        except Exception as error:  # a fault of ours: its text may hold a patient's data
            log.error("sending failed: %s", type(error).__name__, exc_info=log.isEnabledFor(logging.DEBUG))
            job = replace(job, state=JobState.FAILED, failed=job.total - job.sent)
        self._tell(job)
        outcome = Outcome.SUCCESS if job.sent == job.total else Outcome.SERIOUS_FAILURE
        kind, details = EventKind.INSTANCES_TRANSFERRED, _details(job, errand.selection)
        self._note(errand.principal, kind, "sending-ended", details, outcome=outcome)

    async def _send(self, errand: _Errand, job: SendJob) -> SendJob:
        loop = asyncio.get_running_loop()
        told = loop.time()
        results = self._sender.send(errand.device, errand.instances, self._retrieve.source(errand.principal))
        async with aclosing(results):  # type: ignore[type-var]  # an async generator
            async for result in results:
                good = result.status == 0 or result.status & 0xF000 == 0xB000  # PS3.7 annex C: warnings are stored
                job = replace(job, sent=job.sent + good, failed=job.failed + (not good))
                if loop.time() - told >= TELL_SECONDS:
                    told = loop.time()
                    self._tell(job)
                    if not errand.still_valid():
                        return replace(job, state=JobState.STOPPED)
        return replace(job, state=JobState.DONE if job.sent else JobState.FAILED)

    def _tell(self, job: SendJob) -> None:
        self._board.put(replace(job, seen=self._now()))

    def _note(
        self,
        principal: Principal,
        kind: EventKind,
        what: str,
        details: dict[str, str | int],
        *,
        outcome: Outcome = Outcome.SUCCESS,
        durable: bool = False,
    ) -> None:
        event = JournalEvent(kind, what, principal.name, principal.address, outcome, details)
        self._journal.record(event, durable=durable)


def subject_of(selection: Selection) -> str:
    """A digest of the studies that a selection names, which tells nobody which they are."""
    return hashlib.sha256(" ".join(sorted(selection.study_uids)).encode("utf-8", "replace")).hexdigest()


def _receives(device: Device) -> bool:
    return device.enabled and device.listens is not None and Right.RECEIVE in device.rights


def _details(job: SendJob, selection: Selection) -> dict[str, str | int]:
    study = selection.study_uids[0] if selection.study_uids else ""
    return {"study": study, "device": job.device, "images": job.total, "sent": job.sent, "failed": job.failed}
