"""One worker process as the archive sees it: start, talk with a deadline, end."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import json
import os
import select
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import SANDBOX_START_SECONDS
from leadglass.core.pictures import PictureOrder
from leadglass.core.ports import Buffer, DecodedFrame, PixelDescription
from leadglass.dicom.codestreams import frame_length
from leadglass.sandbox import protocol
from leadglass.sandbox.confine import Layers

_ENTRY: Final = "leadglass.sandbox.worker"
_START: Final = "import sys; sys.path[:0] = sys.argv[2:]; __import__(sys.argv[1], fromlist=['main']).main()"
_PIPE: Final = 1 << 20  # bytes: a CT slice goes through without the two waiting for one another
_MOST_PARTS: Final = 64  # of one writev; systems take 1024
_MAX_PHOTOMETRIC: Final = 17  # its length byte and 16 characters of a CS


@dataclass(frozen=True, slots=True)
class Launch:
    """What a worker runs: a module with `main()`, found through `paths`."""

    entry: str = _ENTRY
    paths: tuple[str, ...] = ()

    def command(self) -> list[str]:
        """The command line: isolated, without site, without writing bytecode."""
        return [sys.executable, "-I", "-S", "-B", "-c", _START, self.entry, *self.paths, *_library_paths()]


def _library_paths() -> list[str]:
    """Where this package and the libraries of the codecs live; `-S` leaves them out of the worker's path."""
    folders: list[str] = []
    for name in ("leadglass", "numpy", "imagecodecs", "PIL"):
        found = importlib.util.find_spec(name)
        if found is not None and found.origin is not None:
            folders.append(str(Path(found.origin).parent.parent))
    return list(dict.fromkeys(folders))


class Worker:
    """A worker process. Not thread-safe; `end` may be called from any thread and again."""

    def __init__(self, launch: Launch) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and code
            launch.command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},  # one thread: the filter covers it
            cwd="/",
            close_fds=True,
            start_new_session=True,
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise LeadglassError(ErrorCode.INTERNAL, "a decoder has no pipes")
        self._in = self._process.stdin.fileno()
        self._out = self._process.stdout.fileno()
        for descriptor in (self._in, self._out):
            os.set_blocking(descriptor, False)
        with contextlib.suppress(OSError):  # the system bounds what one user may have
            fcntl.fcntl(self._in, fcntl.F_SETPIPE_SZ, _PIPE)
        self._started = time.monotonic()
        self.layers: Layers | None = None

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def wait_ready(self) -> None:
        """Wait until the worker has confined itself. CANNOT_CONVERT if it does not or is not confined."""
        deadline = max(self._started, time.monotonic() - 1) + SANDBOX_START_SECONDS
        kind, body = self._receive(protocol.MAX_TEXT, deadline)
        if kind == protocol.READY:
            with contextlib.suppress(ValueError, TypeError):
                self.layers = Layers(**json.loads(body))
        if self.layers is None or not self.layers.seccomp:
            raise _failed("the decoder is not confined")

    def describe(self, description: PixelDescription, seconds: float) -> None:
        """Tell what is to be decoded."""
        self._send(protocol.DESCRIPTION, protocol.encode_description(description), time.monotonic() + seconds)

    def decode(self, description: PixelDescription, frame: bytes, seconds: float) -> DecodedFrame:
        """Have one frame decoded within `seconds`. CANNOT_CONVERT if it fails; the worker is then of no more use."""
        if len(frame) > protocol.MAX_REQUEST:
            raise _failed("a compressed frame is too large")
        deadline = time.monotonic() + seconds
        self._send(protocol.FRAME, frame, deadline)
        expected = frame_length(description)
        kind, body = self._receive(expected + _MAX_PHOTOMETRIC, deadline)
        if kind != protocol.PIXELS:
            raise _failed("the frame cannot be decoded")
        photometric, pixels = protocol.split_pixels(body, expected)
        return DecodedFrame(pixels, photometric)

    def paint(self, order: PictureOrder, frames: Iterable[bytes], limit: int, seconds: float) -> bytearray | None:
        """Have a picture of at most `limit` bytes made; each frame has `seconds`. None if the worker says that it
        cannot be made; CANNOT_CONVERT if the worker fails and is of no more use."""
        body = protocol.encode_order(order)
        parts = [protocol.message(protocol.ORDER, sum(map(len, body))), *body]
        return self._task(parts, frames, order.frames, protocol.PICTURE, limit, seconds)

    def encode(
        self, description: PixelDescription, target: str, frame: bytes, limit: int, seconds: float
    ) -> bytearray | None:
        """Have a native frame compressed. As `paint`."""
        body = protocol.encode_target(description, target)
        parts = [protocol.message(protocol.ENCODE, len(body)), body]
        return self._task(parts, [frame], 1, protocol.ENCODED, limit, seconds)

    def _task(  # noqa: PLR0917 - made by two callers
        self, parts: list[bytes], frames: Iterable[bytes], count: int, answer: int, limit: int, seconds: float
    ) -> bytearray | None:
        deadline = time.monotonic() + seconds
        given = 0
        for frame in frames:
            if len(frame) > protocol.MAX_REQUEST or given == count:
                raise _failed("a frame is too large, or there are too many")
            deadline = time.monotonic() + seconds
            given += 1
            self._write([*parts, protocol.message(protocol.FRAME, len(frame)), frame], deadline)
            parts = []
        if given != count:
            raise _failed("there are fewer frames than were announced")
        kind, body = self._receive(limit, deadline)
        if kind == protocol.FAILED and not body and count == 1:
            return None
        if kind != answer:
            raise _failed("the frame cannot be decoded")
        return body

    def end(self) -> None:
        """Kill the worker and wait for its end."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _send(self, kind: int, body: Buffer, deadline: float) -> None:
        self._write([protocol.message(kind, len(body)), body], deadline)

    def _write(self, parts: Sequence[Buffer], deadline: float) -> None:
        """All of `parts`, with one call where the pipe has room for them."""
        left = deque(memoryview(part) for part in parts if len(part))
        while left:
            try:
                written = os.writev(self._in, list(left)[:_MOST_PARTS])
            except BlockingIOError:
                self._wait(self._in, select.POLLOUT, deadline)
                continue
            except OSError:
                raise _failed("the decoder ended unexpectedly") from None
            while written:
                if written < len(left[0]):
                    left[0] = left[0][written:]
                    break
                written -= len(left.popleft())

    def _receive(self, limit: int, deadline: float) -> tuple[int, bytearray]:
        kind, length = protocol.parse_header(bytes(self._read(protocol.HEADER.size, deadline)), limit)
        return kind, self._read(length, deadline)

    def _read(self, length: int, deadline: float) -> bytearray:
        got = bytearray(length)  # bounded by what was asked for
        view, filled = memoryview(got), 0
        while filled < length:
            try:
                count = os.readv(self._out, [view[filled:]])
            except BlockingIOError:
                self._wait(self._out, select.POLLIN, deadline)
                continue
            if not count:
                raise _failed("the decoder ended unexpectedly")
            filled += count
        return got

    def _wait(self, descriptor: int, event: int, deadline: float) -> None:
        waiting = select.poll()
        waiting.register(descriptor, event)
        if not waiting.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise _failed("the decoder took too long")


def _failed(comment: str) -> LeadglassError:
    return LeadglassError(ErrorCode.CANNOT_CONVERT, comment)


def end_all(workers: Sequence[Worker]) -> None:
    """End several workers."""
    for worker in workers:
        worker.end()
