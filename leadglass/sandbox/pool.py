"""Decoders for hostile pixels (core.ports.PixelDecoder): a fresh, confined process per job, some kept warm."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import SANDBOX_FRAME_SECONDS, SANDBOX_WAIT_SECONDS
from leadglass.core.ports import DecodedFrame, PixelDecoder, PixelDescription
from leadglass.sandbox.process import Launch, Worker, end_all

_ATTEMPTS: Final = 2  # a spare may have died while it waited


class Job:
    """A PixelDecoder bound to one worker: for one study and one principal, and ended with them."""

    def __init__(self, worker: Worker, frame_seconds: float) -> None:
        self._worker = worker
        self._seconds = frame_seconds
        self._broken = False

    def decode(self, description: PixelDescription, frames: Sequence[bytes]) -> Iterator[DecodedFrame]:
        """See PixelDecoder. After an error the job decodes nothing more."""
        if self._broken:
            raise LeadglassError(ErrorCode.CANNOT_CONVERT, "the decoder of this job has failed")
        self._broken = True
        self._worker.describe(description, self._seconds)
        for frame in frames:
            self._broken = True
            decoded = self._worker.decode(description, frame, self._seconds)
            self._broken = False
            yield decoded
        self._broken = False


class SandboxPool(PixelDecoder):
    """At most `size` decoders at work, `spares` more kept warm. Thread-safe.

    `frame_seconds` bounds the decoding of one frame. `launch` is what workers run.
    """

    def __init__(
        self,
        size: int,
        *,
        spares: int = 1,
        frame_seconds: float = SANDBOX_FRAME_SECONDS,
        wait_seconds: float = SANDBOX_WAIT_SECONDS,
        launch: Launch | None = None,
    ) -> None:
        self._slots = threading.BoundedSemaphore(size)
        self._spare_count = spares
        self._frame_seconds = frame_seconds
        self._wait_seconds = wait_seconds
        self._launch = launch or Launch()
        self._lock = threading.Lock()
        self._spares: deque[Worker] = deque()
        self._closed = False
        self._replenish()

    def decode(self, description: PixelDescription, frames: Sequence[bytes]) -> Iterator[DecodedFrame]:
        """See PixelDecoder: one job. The worker ends with the iterator, used up or closed."""
        with self.job() as job:
            yield from job.decode(description, frames)

    @contextmanager
    def job(self) -> Iterator[Job]:
        """A decoder for several objects of one study for one principal. CANNOT_CONVERT if none becomes free."""
        if not self._slots.acquire(timeout=self._wait_seconds):
            raise LeadglassError(ErrorCode.CANNOT_CONVERT, "no decoder became free in time")
        try:
            worker = self._take()
            try:
                yield Job(worker, self._frame_seconds)
            finally:
                worker.end()
        finally:
            self._slots.release()

    def close(self) -> None:
        """End the spares; jobs at work end by themselves."""
        with self._lock:
            self._closed = True
            spares, self._spares = list(self._spares), deque()
        end_all(spares)

    def _take(self) -> Worker:
        """A worker that is ready, and a new spare begun in its place."""
        for attempt in range(_ATTEMPTS):
            with self._lock:
                worker = self._spares.popleft() if self._spares else None
            worker = worker or Worker(self._launch)
            self._replenish()
            try:
                worker.wait_ready()
            except LeadglassError:
                worker.end()
                if attempt + 1 == _ATTEMPTS:
                    raise
            else:
                return worker
        raise LeadglassError(ErrorCode.CANNOT_CONVERT, "no decoder could be started")

    def _replenish(self) -> None:
        with self._lock:
            while not self._closed and len(self._spares) < self._spare_count:
                self._spares.append(Worker(self._launch))
