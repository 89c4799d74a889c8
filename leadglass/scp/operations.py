"""An operation in progress on an association: what a request became, and how it is cancelled."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from leadglass.core.device import Device
from leadglass.core.principal import Principal
from leadglass.wire.dimse.status import StatusKind, kind_of

if TYPE_CHECKING:
    from leadglass.net.connection import Connection
    from leadglass.scp.doorway import Doorway
    from leadglass.wire.dimse.commands import Command


log = logging.getLogger(__name__)


@dataclass(slots=True)
class Peer:
    """Whom an association belongs to, and the rooms behind the door."""

    conn: Connection
    device: Device
    principal: Principal
    doorway: Doorway
    called_title: str

    def send(self, context_id: int, response: Command, data: bytes | None = None) -> None:
        """Send a response; once the association is over nobody is told."""
        if self.conn.established:
            self.conn.send_message(context_id, response, data)

    def start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run the rest of an operation. A fault that it did not foresee ends the association: silence would hang it."""
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        fault = task.exception()
        if fault is not None:
            log.error("an operation of device %s failed: %s", self.device.name, type(fault).__name__)
            self.conn.abort()


class Operation(Protocol):
    """What takes the data set of a request. `finished` becomes true when its last response was sent."""

    finished: bool

    def data(self, data: memoryview, last: bool) -> None:
        """A piece of the request's data set."""
        ...

    def cancel(self) -> None:
        """A C-CANCEL for it arrived."""
        ...

    def closed(self) -> None:
        """The association is gone."""
        ...


@dataclass(slots=True)
class Tally:
    """Counts of sub-operations (PS3.7 9.1.3.1), and which failed."""

    remaining: int = 0
    completed: int = 0
    failed: int = 0
    warning: int = 0
    failed_uids: list[str] = field(default_factory=list)

    def count(self, sop_instance_uid: str, status: int) -> None:
        """Count one sub-operation that ended with `status`."""
        self.remaining -= 1
        kind = kind_of(status)
        if kind is StatusKind.SUCCESS:
            self.completed += 1
        elif kind is StatusKind.WARNING:
            self.warning += 1
        else:
            self.failed += 1
            self.failed_uids.append(sop_instance_uid)


def command_identity(command: Command) -> tuple[str, str]:
    """Affected SOP Class and Instance UID of a request, as text."""
    return command.affected_sop_class_uid or "", command.affected_sop_instance_uid or ""
