"""Work that goes on behind a page: sending a study to a device."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class JobState(Enum):
    """How far a job is."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"  # nothing was sent
    STOPPED = "stopped"  # its owner may not any more, or the process that did it is gone


@dataclass(frozen=True, slots=True)
class SendJob:
    """A study on its way to a device. `subject` is a digest of what is sent: nothing of patients stands here. `seen`
    is when it was last told how far it is, in nanoseconds since the epoch. `why` says what went wrong."""

    identifier: str
    owner: str
    subject: str
    device: str
    total: int
    sent: int = 0
    failed: int = 0
    state: JobState = JobState.RUNNING
    why: str = ""
    seen: int = 0


class JobBoard(Protocol):
    """Where jobs are told of, to every process. What is kept is lost with a restart."""

    def put(self, job: SendJob) -> None:
        """Tell how far a job is. Never fails: a job goes on if nobody can be told."""
        ...

    def get(self, identifier: str) -> SendJob | None:
        """What was told last; None if there is no such job."""
        ...
