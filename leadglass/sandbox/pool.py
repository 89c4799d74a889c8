"""Workers for hostile pixels (core.ports.PixelDecoder, core.pictures.PictureMaker): confined processes, some kept warm.

Decoding a whole object has a fresh process per job. Pictures and encoded frames are single small tasks: their worker is
leased to one principal and study (sandbox.leases).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import (
    LEASE_IDLE_SECONDS,
    LEASE_SECONDS,
    MAX_IDLE_LEASES,
    PICTURE_WAIT_SECONDS,
    SANDBOX_FRAME_SECONDS,
    SANDBOX_WAIT_SECONDS,
)
from leadglass.core.pictures import ENCODABLE, GIF, JPEG, PNG, Owner, PictureMaker, PictureOrder
from leadglass.core.ports import DecodedFrame, PixelDecoder, PixelDescription
from leadglass.dicom.codestreams import frame_length, read_jpeg2000_header
from leadglass.sandbox.leases import IdleLeases, Lease
from leadglass.sandbox.process import Launch, Worker, end_all

_ATTEMPTS: Final = 2  # a spare may have died while it waited
_ROOM: Final = 64 * 1024  # bytes of a picture or codestream beside its pixels
_BEGINNINGS: Final = {JPEG: b"\xff\xd8\xff", PNG: b"\x89PNG\r\n\x1a\n", GIF: b"GIF8"}


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


class SandboxPool(PixelDecoder, PictureMaker):
    """At most `size` workers at work, `spares` more kept warm. Thread-safe.

    `frame_seconds` bounds the work on one frame, `idle_seconds` how long a lease waits for its owner. `launch` is what
    workers run.
    """

    def __init__(
        self,
        size: int,
        *,
        spares: int = 1,
        frame_seconds: float = SANDBOX_FRAME_SECONDS,
        wait_seconds: float = SANDBOX_WAIT_SECONDS,
        picture_wait_seconds: float = PICTURE_WAIT_SECONDS,
        idle_seconds: float = LEASE_IDLE_SECONDS,
        idle_leases: int = MAX_IDLE_LEASES,
        launch: Launch | None = None,
    ) -> None:
        self._slots = threading.BoundedSemaphore(size)
        self._spare_count = spares
        self._frame_seconds = frame_seconds
        self._wait_seconds = wait_seconds
        self._picture_wait_seconds = picture_wait_seconds
        self._leases = IdleLeases(idle_leases, idle_seconds, LEASE_SECONDS)
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

    def picture(self, owner: Owner, order: PictureOrder, frames: Iterable[bytes]) -> bytes:
        """See PictureMaker."""
        limit = _most_bytes(order)
        with self._leased(owner) as worker:
            made = worker.paint(order, frames, limit, self._frame_seconds)
        if made is None:
            raise LeadglassError(ErrorCode.CANNOT_CONVERT, "the image cannot be decoded")
        if not made.startswith(_BEGINNINGS[order.media_type]):
            raise LeadglassError(ErrorCode.CANNOT_CONVERT, "the decoder's answer does not fit the question")
        return bytes(made)

    def encode(self, owner: Owner, description: PixelDescription, target: str, frame: bytes) -> bytes:
        """See PictureMaker."""
        if target not in ENCODABLE:
            raise LeadglassError(ErrorCode.CANNOT_CONVERT, "there is no encoder for the transfer syntax")
        limit = 2 * frame_length(description) + _ROOM
        with self._leased(owner) as worker:
            made = worker.encode(description, target, frame, limit, self._frame_seconds)
        if made is None:
            raise LeadglassError(ErrorCode.CANNOT_CONVERT, "the frame cannot be encoded")
        header = read_jpeg2000_header(bytes(made[: 1 << 10]))
        if (header.rows, header.columns, header.samples) != (
            description.rows,
            description.columns,
            description.samples_per_pixel,
        ):
            raise LeadglassError(ErrorCode.CANNOT_CONVERT, "the encoder's answer does not fit the question")
        return bytes(made)

    @contextmanager
    def _leased(self, owner: Owner) -> Iterator[Worker]:
        """A worker that serves `owner` and nobody else. It ends if the block does not end well."""
        if not self._slots.acquire(timeout=self._picture_wait_seconds):
            raise LeadglassError(ErrorCode.UNAVAILABLE, "Too many images are being worked on; try again shortly.")
        try:
            lease = self._leases.take(owner)
            if lease is None or not lease.worker.alive:
                if lease is not None:
                    lease.worker.end()
                lease = Lease(self._take(), owner)
            try:
                yield lease.worker
            except BaseException:
                lease.worker.end()
                raise
            self._leases.give(lease)
        finally:
            self._slots.release()

    def close(self) -> None:
        """End the spares and the leases; jobs at work end by themselves."""
        self._leases.close()
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


def _most_bytes(order: PictureOrder) -> int:
    """What a picture may have: no coding here makes noise much larger than its samples."""
    pixels = order.placement.width * order.placement.height * order.frames
    return 4 * pixels + _ROOM
