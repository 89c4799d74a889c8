"""The segments of one archive on disk: names, creation, locks, seals.

A segment being made carries the suffix `.part` and is locked by its maker; it takes its name only when file and
directory are synced. Whoever writes a segment holds a lock on it for life, so an unlocked unsealed segment is a dead
writer's.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from os import urandom
from pathlib import Path

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.vault.disk import Disk
from leadglass.vault.segment_format import (
    FOOTER_SIZE,
    HEADER_SIZE,
    Footer,
    SegmentHeader,
    parse_footer,
    parse_footer_block,
)

_NAME = re.compile(r"[0-9a-f]{32}", re.ASCII)
_PART = ".part"
_LOCK_ATTEMPTS = 20  # somebody who only looks holds the lock for microseconds
_LOCK_PAUSE_SECONDS = 0.01


@dataclass(slots=True)
class SegmentFile:
    """An open segment: its name, where it is now, its descriptor."""

    name: str
    path: Path
    descriptor: int


class SegmentDirectory:
    """`root`/segments/<first two digits>/<32 hex digits>."""

    def __init__(self, root: Path, archive_id: bytes, mac_key: bytes, disk: Disk) -> None:
        self.disk = disk
        self._archive_id = archive_id
        self._mac_key = mac_key
        self._segments = root / "segments"
        if disk.make_directory(self._segments):
            disk.sync_directory(root)
        self._remove_leftovers()

    def path(self, name: str) -> Path:
        """Where the segment `name` lies. NOT_FOUND if that is no segment's name."""
        if not _NAME.fullmatch(name):
            raise LeadglassError(ErrorCode.NOT_FOUND, "There is no such segment.")
        return self._segments / name[:2] / name

    def names(self) -> list[str]:
        """All segments, in order of their names."""
        return [name for group in self.disk.names(self._segments) for name in self._names_in(group)]

    def create(self, length: int, *, fill: int = 0) -> SegmentFile:
        """A new segment without a name yet, locked, with `length` bytes promised by the file system.

        With `fill` they are written once (slow; for a thread of its own), which makes every later sync cheaper.
        """
        name = urandom(16).hex()
        path = self.path(name)
        if self.disk.make_directory(path.parent):
            self.disk.sync_directory(self._segments)
        path = path.with_name(name + _PART)
        segment = SegmentFile(name, path, self.disk.create(path))
        try:
            self.disk.lock(segment.descriptor)
            if length:
                self.disk.allocate(segment.descriptor, length)
            if fill:
                self.disk.fill(segment.descriptor, fill)
            header = SegmentHeader(self._archive_id, bytes.fromhex(name), time.time_ns())
            self.disk.write(segment.descriptor, [header.pack()], 0)
        except OSError:
            self.remove(segment)
            raise
        return segment

    def publish(self, segment: SegmentFile) -> None:
        """Sync the file, give it its name, sync the directory."""
        self.disk.sync(segment.descriptor)
        final = segment.path.with_suffix("")
        self.disk.rename(segment.path, final)
        segment.path = final
        self.disk.sync_directory(final.parent)

    def remove(self, segment: SegmentFile) -> None:
        """Take the file away and close it. What fails is left to the next start."""
        try:
            self.disk.unlink(segment.path)
        except OSError:
            pass  # an unlocked leftover is removed or adopted later
        finally:
            self.disk.close(segment.descriptor)

    def seal(self, segment: SegmentFile, count: int, end: int, damaged: tuple[tuple[int, int], ...] = ()) -> None:
        """Write the footer behind `end`, cut the file behind it, sync."""
        footer = Footer(bytes.fromhex(segment.name), count, end, (), damaged).pack(self._mac_key)
        self.disk.write(segment.descriptor, [footer], end)
        self.disk.truncate(segment.descriptor, end + len(footer))
        self.disk.sync(segment.descriptor)

    def footer(self, segment: SegmentFile) -> Footer | None:
        """The footer, or None if the segment is not sealed."""
        size = self.disk.size(segment.descriptor)
        if size < HEADER_SIZE + FOOTER_SIZE:
            return None
        block = self.disk.read(segment.descriptor, FOOTER_SIZE, size - FOOTER_SIZE)
        found = parse_footer_block(block, size)
        if found is None or found.segment_id.hex() != segment.name:
            return None
        return parse_footer(self.disk.read(segment.descriptor, found.lists_size, found.end), block, self._mac_key)

    def open(self, name: str, *, write: bool = False) -> SegmentFile:
        """Open a segment. NOT_FOUND if it is gone, OUT_OF_RESOURCES if it cannot be opened."""
        path = self.path(name)
        try:
            return SegmentFile(name, path, self.disk.open(path, write=write))
        except FileNotFoundError as problem:
            raise LeadglassError(ErrorCode.NOT_FOUND, "The segment is gone.") from problem
        except OSError as problem:
            raise LeadglassError(ErrorCode.OUT_OF_RESOURCES, "The segment cannot be opened.") from problem

    def is_living(self, name: str) -> bool:
        """Whether a living writer holds the segment (or it is gone)."""
        try:
            segment = self.open(name)
        except LeadglassError as problem:
            if problem.code is ErrorCode.NOT_FOUND:
                return True
            raise
        try:
            return not self.disk.lock(segment.descriptor, shared=True)
        finally:
            self.disk.close(segment.descriptor)

    def take_over(self, name: str) -> SegmentFile:
        """Open a dead writer's segment for writing, locked. IN_USE if its writer lives."""
        segment = self.open(name, write=True)
        for _ in range(_LOCK_ATTEMPTS):
            if self.disk.lock(segment.descriptor):
                return segment
            time.sleep(_LOCK_PAUSE_SECONDS)
        self.disk.close(segment.descriptor)
        raise LeadglassError(ErrorCode.IN_USE, "The segment's writer is alive.")

    def _names_in(self, group: str) -> list[str]:
        return [name for name in self.disk.names(self._segments / group) if _NAME.fullmatch(name)]

    def _remove_leftovers(self) -> None:
        """Remove what makers that died left behind: parts that nobody has locked."""
        for group in self.disk.names(self._segments):
            for name in self.disk.names(self._segments / group):
                if name.endswith(_PART):
                    self._remove_if_dead(self._segments / group / name)

    def _remove_if_dead(self, path: Path) -> None:
        try:
            descriptor = self.disk.open(path, write=True)
        except OSError:
            return  # its maker gave it its name or removed it meanwhile
        part = SegmentFile(path.stem, path, descriptor)
        if self.disk.lock(descriptor):
            self.remove(part)
        else:
            self.disk.close(descriptor)
