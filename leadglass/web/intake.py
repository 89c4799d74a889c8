"""One instance of a request on its way into the archive, and the window of those that are being made durable."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MIB
from leadglass.dicom.opening import Looked, look_at
from leadglass.services.ingest import Announced, Reception
from leadglass.web.store_response import Failed, Outcome, Stored

WINDOW: Final = 32  # instances of one request that wait for the disk together, so that they share its syncs
WINDOW_BYTES: Final = 4 * MIB  # and their size: more waits in fresh memory, which costs more than a sync
_FIRST_LOOK: Final = 4096  # bytes: those of most files' headers up to the Study Instance UID

Begin = Callable[[Announced], Reception]

log = logging.getLogger(__name__)


class Sink(Protocol):
    """Where the content of one part goes."""

    async def feed(self, data: memoryview) -> None:
        """The next bytes. What is wrong with them is told by `end`, not raised."""
        ...

    async def end(self, window: Window) -> None:
        """The part is whole."""
        ...

    def broken(self, error: LeadglassError) -> list[Failed]:
        """The part will not be whole, because of `error`: what is not stored for it."""
        ...

    def abort(self) -> None:
        """Forget it. Harmless after `end`."""
        ...


class Window:
    """Instances that are complete and being stored, a few at a time; their outcomes in the order of the request."""

    def __init__(self) -> None:
        self._running: dict[asyncio.Task[None], int] = {}  # and their sizes
        self._outcomes: list[Outcome | None] = []

    def __len__(self) -> int:
        """How many instances were read."""
        return len(self._outcomes)

    async def add(self, finish: Coroutine[Any, Any, Outcome], size: int) -> None:
        """Have an instance of `size` bytes stored; returns while that goes on, unless too many others wait."""
        while len(self._running) >= WINDOW or sum(self._running.values()) >= WINDOW_BYTES:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
        place = len(self._outcomes)
        self._outcomes.append(None)
        task = asyncio.get_running_loop().create_task(self._run(place, finish))
        self._running[task] = size
        task.add_done_callback(self._running.pop)

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


class Intake:
    """What every instance on its way has: a reception once it is known what comes, and the first error."""

    def __init__(self, begin: Begin, study_uid: str) -> None:
        self.sop_class = ""
        self.sop_instance = ""
        self._begin = begin
        self._study_uid = study_uid
        self._reception: Reception | None = None
        self._error: LeadglassError | None = None
        self.size = 0

    def start(self, transfer_syntax_uid: str, file_meta: bytes = b"") -> None:
        """Begin the reception; the SOP UIDs are known. LeadglassError if it cannot be taken."""
        if not (self.sop_class and self.sop_instance):
            raise LeadglassError(ErrorCode.IDENTITY_MISMATCH, "A SOP UID of the data set is absent.")
        announced = Announced(
            self.sop_class,
            self.sop_instance,
            transfer_syntax_uid,
            file_meta=file_meta,
            study_uid=self._study_uid,
        )
        self._reception = self._begin(announced)

    async def give(self, data: bytes | memoryview) -> None:
        """Give bytes of the data set to the reception, and wait while it asks for that."""
        reception = self._reception
        assert reception is not None
        self.size += len(data)
        reception.feed(data)
        while reception.congested:
            await reception.relieve()

    async def finish(self) -> Outcome:
        """All of it has come: store it, and tell what became of it. Raises nothing that is the sender's fault."""
        try:
            if self._error is None:
                await self.last()
            if self._error is None:
                assert self._reception is not None
                return Stored((await self._reception.complete()).identity)
        except LeadglassError as error:
            self.fail(error)
        assert self._error is not None
        return Failed(self.sop_class, self.sop_instance, self._error)

    async def last(self) -> None:
        """What is to be done when all has come and before it is stored."""

    def fail(self, error: LeadglassError) -> None:
        """It cannot be stored; what still comes of it is dropped."""
        self._error = self._error or error
        self.abort()

    def abort(self) -> None:
        """See Sink."""
        if self._reception is not None:
            self._reception.abort()


class FileIntake(Intake):
    """A DICOM file (a Sink). Its bytes wait until its header says what it is."""

    def __init__(self, begin: Begin, study_uid: str) -> None:
        super().__init__(begin, study_uid)
        self._start = bytearray()
        self._wanted = _FIRST_LOOK

    async def feed(self, data: memoryview) -> None:
        """See Sink."""
        if self._error is not None:
            return
        try:
            if self._reception is not None:
                await self.give(data)
                return
            self._start += data
            if len(self._start) >= self._wanted:
                self._wanted *= 2
                await self._open(whole=False)
        except LeadglassError as error:
            self.fail(error)

    async def end(self, window: Window) -> None:
        """See Sink."""
        await window.add(self.finish(), self.size)

    def broken(self, error: LeadglassError) -> list[Failed]:
        """See Sink."""
        with contextlib.suppress(LeadglassError):
            self._look(whole=True)
        return [Failed(self.sop_class, self.sop_instance, error)]

    async def last(self) -> None:
        """See Intake."""
        if self._reception is None:
            await self._open(whole=True)

    async def _open(self, *, whole: bool) -> None:
        seen = self._look(whole=whole)
        if seen is None:
            return
        if seen.sop_class and seen.sop_instance:
            seen.require_storage()
        self.start(seen.transfer_syntax_uid, seen.file_meta)
        start, self._start = self._start, bytearray()
        await self.give(memoryview(start)[seen.data_set_offset :])

    def _look(self, *, whole: bool) -> Looked | None:
        seen = look_at(bytes(self._start), whole=whole) if self._start or whole else None
        if seen is not None:
            self.sop_class, self.sop_instance = seen.sop_class, seen.sop_instance
        return seen
