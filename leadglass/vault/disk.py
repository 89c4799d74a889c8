"""The medium. No other module of the vault touches a path, so a test can make every call fail or lose what it wrote.

Methods raise OSError as the system gives it; `failing_as` turns it into the archive's own error where it matters.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from errno import ENXIO
from pathlib import Path
from typing import TypeAlias, cast

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MIB

Buffer: TypeAlias = bytes | bytearray | memoryview

_BUFFERS_PER_CALL = 1024  # IOV_MAX of Linux
_FILL_STEP = 8 * MIB
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW
_START_WRITING = 2  # SYNC_FILE_RANGE_WRITE


def _find_sync_file_range() -> Callable[[int, int, int, int], int] | None:
    """Linux's sync_file_range(2), which Python's `os` does not have; None elsewhere."""
    try:
        function = ctypes.CDLL(None, use_errno=True).sync_file_range
    except (OSError, AttributeError):
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return cast("Callable[[int, int, int, int], int]", function)


_sync_file_range = _find_sync_file_range()


@contextmanager
def failing_as(code: ErrorCode, comment: str) -> Iterator[None]:
    """Raise LeadglassError(code, comment) for an OSError inside."""
    try:
        yield
    except OSError as problem:
        raise LeadglassError(code, comment) from problem


class Disk:
    """A local file system."""

    def create(self, path: Path) -> int:
        """Descriptor of a new empty file of mode 0600; FileExistsError if it is there."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600)

    def open(self, path: Path, *, write: bool = False) -> int:
        """Descriptor of an existing file; symbolic links are not followed."""
        return os.open(path, (os.O_RDWR if write else os.O_RDONLY) | _FLAGS)

    def open_or_create(self, path: Path) -> int:
        """Descriptor of a file that may or may not be there."""
        return os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600)

    def close(self, descriptor: int) -> None:
        """Close, letting go of its lock."""
        os.close(descriptor)

    def size(self, descriptor: int) -> int:
        """Length of the file in bytes."""
        return os.fstat(descriptor).st_size

    def exists(self, path: Path) -> bool:
        """Whether something is there by this name."""
        return os.path.lexists(path)

    def allocate(self, descriptor: int, length: int) -> None:
        """Have the file system promise `length` bytes: later writes inside cannot run out of space."""
        os.posix_fallocate(descriptor, 0, length)

    def fill(self, descriptor: int, length: int) -> None:
        """Write zeros to the first `length` bytes, durably: a later sync of what replaces them writes data and nothing
        else (no extents, no sizes), in half the time."""
        zeros = bytes(MIB)
        for offset in range(0, length, MIB):
            os.pwrite(descriptor, memoryview(zeros)[: length - offset], offset)
            if offset % _FILL_STEP == 0:
                os.fdatasync(descriptor)  # in steps: the syncs of others must not wait for the whole file
        os.fsync(descriptor)

    def write(self, descriptor: int, buffers: Sequence[Buffer], offset: int) -> int:
        """Write all of `buffers` at `offset` without joining them; the offset behind them."""
        start = 0
        while start < len(buffers):
            batch = buffers[start : start + _BUFFERS_PER_CALL]
            written = os.pwritev(descriptor, batch, offset)
            offset += written
            if written < sum(map(len, batch)):
                offset = self._finish_short(descriptor, batch, written, offset)
            start += len(batch)
        return offset

    def begin_sync(self, descriptor: int, offset: int, length: int) -> None:
        """Have the medium start on `length` bytes written at `offset` and return; `sync` then has less to wait for.

        Without sync_file_range(2) nothing is done. What fails later, `sync` reports.
        """
        if _sync_file_range is not None and _sync_file_range(descriptor, offset, length, _START_WRITING):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def _finish_short(self, descriptor: int, batch: Sequence[Buffer], written: int, offset: int) -> int:
        """Write what a short pwritev left of `batch` (signals and full disks cut a write in the middle)."""
        for buffer in batch:
            rest = memoryview(buffer)[min(written, len(buffer)) :]
            written -= len(buffer) - len(rest)
            while rest:
                count = os.pwrite(descriptor, rest, offset)
                rest = rest[count:]
                offset += count
        return offset

    def read(self, descriptor: int, length: int, offset: int) -> bytes:
        """Up to `length` bytes at `offset`; fewer only at the end of the file."""
        data = os.pread(descriptor, length, offset)
        if len(data) == length or not data:
            return data
        pieces = [data]
        got = len(data)
        while got < length and (data := os.pread(descriptor, length - got, offset + got)):
            pieces.append(data)
            got += len(data)
        return b"".join(pieces)

    def read_at_hand(self, descriptor: int, buffer: memoryview, offset: int) -> bool:
        """Fill `buffer` from `offset` if memory (the page cache) has it all; False rather than wait for the medium."""
        try:
            return os.preadv(descriptor, [buffer], offset, os.RWF_NOWAIT) == len(buffer)
        except OSError:
            return False  # some of it is not there, or the file system cannot tell

    def truncate(self, descriptor: int, length: int) -> None:
        """Cut the file to `length` bytes."""
        os.ftruncate(descriptor, length)

    def sync(self, descriptor: int) -> None:
        """Make the file's bytes durable, and what is needed to read them back."""
        os.fdatasync(descriptor)

    def sync_directory(self, path: Path) -> None:
        """Make the names in a directory durable."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        """Give a file its other name, at once for all who look."""
        old.rename(new)

    def unlink(self, path: Path) -> None:
        """Take a name away."""
        path.unlink()

    def make_directory(self, path: Path) -> bool:
        """Make a directory of mode 0700 (and its parents); whether it was not there before."""
        if path.is_dir():
            return False
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return True

    def names(self, path: Path) -> list[str]:
        """Names in a directory, sorted; none if it is not there."""
        try:
            return sorted(os.listdir(path))  # noqa: PTH208 - Path objects for 100,000 names are slow
        except FileNotFoundError:
            return []

    def lock(self, descriptor: int, *, shared: bool = False, wait: bool = False) -> bool:
        """Lock the open file (flock); False if somebody else holds it and `wait` is not set."""
        operation = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
        try:
            fcntl.flock(descriptor, operation)
        except BlockingIOError:
            return False
        return True

    def unlock(self, descriptor: int) -> None:
        """Let the lock go."""
        fcntl.flock(descriptor, fcntl.LOCK_UN)

    def drop_cache(self, descriptor: int) -> None:
        """Have later reads come from the medium, not from the page cache."""
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def next_data(self, descriptor: int, offset: int) -> int | None:
        """The first offset from `offset` on that may hold anything but zeros; None if nothing does."""
        try:
            return os.lseek(descriptor, offset, os.SEEK_DATA)
        except OSError as problem:
            if problem.errno == ENXIO:
                return None
            return offset  # a file system that cannot tell holes: look at everything
