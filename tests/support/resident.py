"""How much memory every process of a running archive ever held (VmHWM), those that come and go included."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

MIB = 1024 * 1024
EVERY = 0.05  # seconds; the kernel keeps the high mark, so only a process that lives shorter is missed


class Resident:
    """High marks in bytes by (kind, process id); kinds are serve, dicom_process,
    web_process, sandbox."""

    def __init__(self) -> None:
        self.marks: dict[tuple[str, int], int] = {}

    def of(self, kind: str) -> list[int]:
        """High marks of all processes of one kind."""
        return [mark for (name, _), mark in self.marks.items() if name == kind]

    def look(self, root: int) -> None:
        """Note the marks of `root` and everything below it."""
        for process in _family(root):
            with contextlib.suppress(OSError, ValueError, StopIteration):
                status = (Path("/proc") / str(process) / "status").read_text()
                mark = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
                self.marks[_kind(process), process] = mark


def _kind(process: int) -> str:
    words = (Path("/proc") / str(process) / "cmdline").read_bytes().split(b"\0")
    for word, kind in (
        (b"serve", "serve"),
        (b"leadglass.app.dicom_process", "dicom_process"),
        (b"leadglass.app.web_process", "web_process"),
        (b"leadglass.sandbox.worker", "sandbox"),
    ):
        if word in words:
            return kind
    return "other"


def _family(root: int) -> list[int]:
    """`root` and its descendants."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            parents.setdefault(parent, []).append(int(folder.name))
    found = [root]
    for process in found:
        found += parents.get(process, [])
    return found


@contextlib.contextmanager
def watched(root: int) -> Iterator[Resident]:
    """Look again and again until the end of the block."""
    resident, over = Resident(), threading.Event()

    def watch() -> None:
        while not over.wait(EVERY):
            resident.look(root)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield resident
    finally:
        over.set()
        thread.join()
        resident.look(root)
