"""Media that misbehave, in the place of the vault's disk."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from leadglass.vault.disk import Disk


class LosesUnsynced(Disk):
    """Remembers what each file held at its last sync and which names were durable; `power_cut` brings that back."""

    def __init__(self) -> None:
        self._paths: dict[int, Path] = {}
        self._content: dict[int, bytes] = {}  # durable content by inode
        self._names: dict[Path, int] = {}  # durable names
        self._keep: dict[int, int] = {}  # an open descriptor per inode, so that numbers are not used again
        self._lock = threading.Lock()  # segments are made ahead in a thread of their own

    def create(self, path: Path) -> int:
        return self._seen(super().create(path), path)

    def open(self, path: Path, *, write: bool = False) -> int:
        return self._seen(super().open(path, write=write), path)

    def open_or_create(self, path: Path) -> int:
        return self._seen(super().open_or_create(path), path)

    def fill(self, descriptor: int, length: int) -> None:
        super().fill(descriptor, length)
        self._remember(descriptor)

    def sync(self, descriptor: int) -> None:
        super().sync(descriptor)
        self._remember(descriptor)

    def sync_directory(self, path: Path) -> None:
        super().sync_directory(path)
        with self._lock:
            others = {name: inode for name, inode in self._names.items() if name.parent != path}
            present = {item: item.stat().st_ino for item in path.iterdir() if item.is_file()}
            self._names = others | present

    def power_cut(self, root: Path) -> None:
        """What was not synced is gone: contents, and names in directories that were not synced."""
        for item in [item for item in root.rglob("*") if item.is_file()]:
            item.unlink()
        self.rebuild(root, root)
        for descriptor in self._keep.values():
            os.close(descriptor)
        self._keep = {}

    def rebuild(self, root: Path, target: Path) -> None:
        """Make below `target` what a power cut at this moment would leave below `root`, while work goes on."""
        with self._lock:
            names, content = dict(self._names), dict(self._content)
        for path, inode in names.items():
            copy = target / path.relative_to(root)
            copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            copy.write_bytes(content.get(inode, b""))

    def _seen(self, descriptor: int, path: Path) -> int:
        inode = os.fstat(descriptor).st_ino
        if inode not in self._keep:
            self._keep[inode] = os.open(path, os.O_RDONLY)
        return descriptor

    def _remember(self, descriptor: int) -> None:
        info = os.fstat(descriptor)
        content = os.pread(descriptor, info.st_size, 0)
        with self._lock:
            self._content[info.st_ino] = content
