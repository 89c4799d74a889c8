"""One server per archive: a lock on a file in its home, held for life, let go by the kernel however it ends."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from leadglass.core.errors import ErrorCode, LeadglassError


@contextlib.contextmanager
def server_lock(path: Path) -> Iterator[int]:
    """Hold the lock; the descriptor. IN_USE if another process holds it."""
    with path.open("a") as file:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            comment = "Another Leadglass process has this archive open; stop it first (see 'leadglass status')."
            raise LeadglassError(ErrorCode.IN_USE, comment) from None
        yield file.fileno()


def is_served(path: Path) -> bool:
    """Whether some process holds the lock."""
    try:
        with server_lock(path):
            return False
    except LeadglassError:
        return True
    except FileNotFoundError:
        return False
