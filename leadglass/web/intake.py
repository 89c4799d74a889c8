"""One DICOM file of a request on its way into the archive, and the window of those that are being made durable."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.dicom.opening import Looked, look_at
from leadglass.services.ingest import Announced, Reception
from leadglass.web.store_response import Failed, Outcome, Stored

WINDOW: Final = 16  # instances of one request that wait for the disk together, so that they share its syncs
_FIRST_LOOK: Final = 4096  # bytes: those of most files' headers up to the Study Instance UID

log = logging.getLogger(__name__)


class Intake(Protocol):
    """One instance that a request brings."""

    async def finish(self) -> Outcome:
        """All of it has come: what became of it. Raises nothing that is the sender's fault."""
        ...

    def abort(self) -> None:
        """It will not be whole."""
        ...


async def feed(reception: Reception, data: bytes | bytearray | memoryview) -> None:
    """Give `data` to a reception, and wait while it asks for it."""
    reception.feed(data)
    while reception.congested:
        await reception.relieve()


class FileIntake:
    """An application/dicom body. `begin` starts a reception for what was announced."""

    def __init__(self, begin: Callable[[Announced], Reception], study_uid: str) -> None:
        self._begin = begin
        self._study_uid = study_uid
        self._start = bytearray()
        self._wanted = _FIRST_LOOK
        self._seen: Looked | None = None
        self._reception: Reception | None = None
        self._error: LeadglassError | None = None

    async def feed(self, data: memoryview) -> None:
        """The next bytes. After an error the rest is dropped; `finish` tells."""
        if self._error is not None:
            return
        try:
            if self._reception is not None:
                await feed(self._reception, data)
                return
            self._start += data
            if len(self._start) >= self._wanted:
                self._wanted *= 2
                await self._open(whole=False)
        except LeadglassError as error:
            self._fail(error)

    async def finish(self) -> Outcome:
        """See Intake."""
        try:
            if self._error is None and self._reception is None:
                await self._open(whole=True)
            if self._error is None and self._reception is not None:
                return Stored((await self._reception.complete()).identity)
        except LeadglassError as error:
            self._fail(error)
        return self.failed(self._error or LeadglassError(ErrorCode.INTERNAL, "The instance was not stored."))

    def failed(self, error: LeadglassError) -> Failed:
        """The outcome if `error` is why it is not stored."""
        if self._seen is None and self._start:
            with contextlib.suppress(LeadglassError):
                self._seen = look_at(bytes(self._start), whole=True)
        seen = self._seen
        return Failed(seen.sop_class, seen.sop_instance, error) if seen else Failed("", "", error)

    def abort(self) -> None:
        """See Intake."""
        if self._reception is not None:
            self._reception.abort()

    async def _open(self, *, whole: bool) -> None:
        start = bytes(self._start)
        self._seen = seen = look_at(start, whole=whole)
        if seen is None:
            return
        if not (seen.sop_class and seen.sop_instance):
            raise LeadglassError(ErrorCode.IDENTITY_MISMATCH, "A SOP UID of the data set is absent.")
        seen.require_storage()
        self._reception = self._begin(
            Announced(
                seen.sop_class,
                seen.sop_instance,
                seen.transfer_syntax_uid,
                file_meta=seen.file_meta,
                study_uid=self._study_uid,
            )
        )
        self._start.clear()
        await feed(self._reception, memoryview(start)[seen.data_set_offset :])

    def _fail(self, error: LeadglassError) -> None:
        self._error = error
        self._start.clear()
        self.abort()


class Window:
    """Instances that are complete and being stored, a few at a time; their outcomes in the order of the request."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()
        self._outcomes: list[Outcome | None] = []

    async def add(self, finish: Coroutine[Any, Any, Outcome]) -> None:
        """Have an instance stored; returns while that goes on, unless too many others wait."""
        while len(self._running) >= WINDOW:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
        place = len(self._outcomes)
        self._outcomes.append(None)
        task = asyncio.get_running_loop().create_task(self._run(place, finish))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def note(self, outcome: Outcome) -> None:
        """Something whose outcome is known."""
        self._outcomes.append(outcome)

    async def outcomes(self) -> list[Outcome]:
        """All outcomes, once nothing is on its way any more."""
        while self._running:
            await asyncio.wait(self._running)
        return [outcome for outcome in self._outcomes if outcome is not None]

    async def _run(self, place: int, finish: Coroutine[Any, Any, Outcome]) -> None:
        try:
            self._outcomes[place] = await finish
        except Exception as error:  # a fault of ours: its text may hold a patient's data, so only its kind is told
            log.error("an instance was not stored: %s", type(error).__name__, exc_info=log.isEnabledFor(logging.DEBUG))
            self._outcomes[place] = Failed("", "", LeadglassError(ErrorCode.INTERNAL, "There was a fault here."))
