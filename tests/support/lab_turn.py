"""The laboratory has fixed addresses: one test file at a time may start it."""

from __future__ import annotations

import contextlib
import fcntl
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def lab_turn() -> Iterator[None]:
    """Wait until nobody else on this machine has the laboratory."""
    with (Path(tempfile.gettempdir()) / "leadglass-lab-turn").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
