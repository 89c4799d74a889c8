"""The medium. No other module of the journal writes to a path, so a test can make every call fail."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW


class Medium:
    """A local file system. Methods raise OSError as the system gives it."""

    def prepare(self, directory: Path) -> None:
        """Make the journal's directory, readable by its owner alone."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def create(self, path: Path) -> int:
        """Descriptor of a new empty file of mode 0600; FileExistsError if it is there."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600)

    def open(self, path: Path) -> int:
        """Descriptor of an existing file, to write."""
        return os.open(path, os.O_RDWR | _FLAGS)

    def open_lock(self, path: Path) -> int:
        """Descriptor of a lock file that may or may not be there."""
        return os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600)

    def lock(self, descriptor: int, *, wait: bool) -> bool:
        """Take the exclusive lock of an open file; False if another holds it. It goes with the descriptor."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        """Write all of `data` at `offset`."""
        view = memoryview(data)
        while view:
            written = os.pwrite(descriptor, view, offset)
            view, offset = view[written:], offset + written

    def sync(self, descriptor: int) -> None:
        """Return when the file's bytes are on the medium."""
        os.fdatasync(descriptor)

    def sync_directory(self, directory: Path) -> None:
        """Return when the directory's names are on the medium."""
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut a file."""
        os.ftruncate(descriptor, size)

    def remove(self, path: Path) -> None:
        """Delete a file."""
        path.unlink()

    def close(self, descriptor: int) -> None:
        """Close, letting go of its lock."""
        os.close(descriptor)
