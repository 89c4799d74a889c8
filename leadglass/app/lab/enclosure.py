"""Runs foreign servers where nobody but the laboratory reaches them: see `inside`, which is what runs there."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from leadglass.app.lab.inside import READY
from leadglass.app.namespaces import enclosing
from leadglass.core.errors import ErrorCode, LeadglassError

_BACKLOG = 64


@dataclass(frozen=True, slots=True)
class Door:
    """An address of the laboratory, and the port of the server inside that it leads to."""

    address: str
    port: int
    inner: int


@dataclass(frozen=True, slots=True)
class Enclosed:
    """A server to run inside: its words, the folder that it works in, its doors."""

    name: str
    command: tuple[str, ...]
    folder: Path
    doors: tuple[Door, ...]


@contextlib.contextmanager
def enclosed(servers: Sequence[Enclosed]) -> Iterator[None]:
    """These servers, reachable by their doors until the end of this.

    Raises LeadglassError: IN_USE if an address is taken, UNAVAILABLE if one does not start or nothing can be enclosed.
    """
    if not enclosing():
        raise LeadglassError(ErrorCode.UNAVAILABLE, "This system lets nobody make a network namespace.")
    with contextlib.ExitStack() as stack:
        doors = [[(stack.enter_context(_opened(door)), door.inner) for door in server.doors] for server in servers]
        told = [
            {
                "name": server.name,
                "command": server.command,
                "folder": str(server.folder),
                "doors": [(opened.fileno(), inner) for opened, inner in mine],
            }
            for server, mine in zip(servers, doors, strict=True)
        ]
        inside = stack.enter_context(_inside([opened.fileno() for mine in doors for opened, _ in mine]))
        assert inside.stdin is not None
        assert inside.stdout is not None
        inside.stdin.write(json.dumps(told) + "\n")
        inside.stdin.flush()
        answer = inside.stdout.readline().strip()
        if answer != READY:
            raise LeadglassError(ErrorCode.UNAVAILABLE, f"The laboratory's servers: {answer or 'none started.'}")
        yield


def _opened(door: Door) -> socket.socket:
    try:
        return socket.create_server((door.address, door.port), backlog=_BACKLOG)
    except OSError as error:
        raise LeadglassError(ErrorCode.IN_USE, f"{door.address}:{door.port} is taken: is a lab running?") from error


@contextlib.contextmanager
def _inside(descriptors: Sequence[int]) -> Iterator[subprocess.Popen[str]]:
    """The process inside. It ends when its standard input does, also if we are killed, and all of its children too."""
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [*enclosing(), sys.executable, "-m", "leadglass.app.lab.inside"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=descriptors,
        start_new_session=True,  # Ctrl-C in the terminal is ours to hear
    )
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
