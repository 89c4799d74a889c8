"""The root chain as a writer holds it: read up to its end, extended under the directory's lock.

Whatever stands behind the last good entry (torn by a power cut, or tampered with) is left as it is: the chain goes on
in a new file, and the verifier judges what was left.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from leadglass.journal.format import DIGEST_SIZE
from leadglass.journal.medium import Medium
from leadglass.journal.roots import (
    LOCK_NAME,
    NO_ROOT,
    ROOT_HEADER_SIZE,
    FileRecord,
    Mark,
    RootHead,
    follow_roots,
    pack_root_entry,
    pack_root_header,
    root_indexes,
    root_key,
    root_path,
    unpack_root_header,
)

ROOT_FILE_SIZE = 4 * 1024 * 1024  # some 30,000 entries, three weeks of one a minute: read in a moment at a start


class RootChain:
    """Not for several threads at once. Every method but the constructor needs `locked`; OSError comes through."""

    def __init__(self, directory: Path, journal_key: bytes, medium: Medium) -> None:
        self._directory = directory
        self._key = root_key(journal_key)
        self._medium = medium
        self._index = 0
        self._offset = 0
        self._broken = True  # no file yet that can be extended
        self.head: RootHead = NO_ROOT
        self.open_files: dict[bytes, FileRecord] = {}
        self.newest: FileRecord | None = None  # the file that was opened last, with its latest head

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the directory's lock, with the chain read up to its end."""
        descriptor = self._medium.open_lock(self._directory / LOCK_NAME)
        try:
            self._medium.lock(descriptor, wait=True)
            self._refresh()
            yield
        finally:
            self._medium.close(descriptor)

    def append(self, now: int, records: tuple[FileRecord, ...]) -> None:
        """Add an entry; it is on the medium when this returns."""
        if self._broken or self._offset > ROOT_FILE_SIZE:
            self._begin_file(now)
        entry, head = pack_root_entry(self.head, now, records, self._key)
        descriptor = self._medium.open(root_path(self._directory, self._index))
        try:
            self._medium.write(descriptor, entry, self._offset)
            self._medium.sync(descriptor)
        except OSError:
            self._broken = True
            with suppress(OSError):
                self._medium.truncate(descriptor, self._offset)
                self._medium.sync(descriptor)
                self._broken = False
            raise
        finally:
            self._medium.close(descriptor)
        self._offset += len(entry)
        self._take(head, records)

    def _begin_file(self, now: int) -> None:
        index = max([self._index, *root_indexes(self._directory)]) + 1
        path = root_path(self._directory, index)
        carried = {record.file_id: record for record in (self.newest, *self.open_files.values()) if record}
        header = pack_root_header(index, self.head, now, self._key)
        opened = unpack_root_header(header, self._key)
        assert opened is not None
        records = tuple(replace(record, mark=record.mark & Mark.CLOSED | Mark.CARRIED) for record in carried.values())
        entry, head = pack_root_entry(opened.start, now, records, self._key)
        descriptor = self._medium.create(path)
        try:
            self._medium.write(descriptor, header + entry, 0)
            self._medium.sync(descriptor)
            self._medium.sync_directory(self._directory)
        except OSError:
            with suppress(OSError):
                self._medium.remove(path)
            raise
        finally:
            self._medium.close(descriptor)
        self._index, self._offset, self.head, self._broken = index, len(header) + len(entry), head, False

    def _refresh(self) -> None:
        indexes = root_indexes(self._directory)
        if indexes and indexes[-1] == self._index and not self._broken:
            self._read_on(root_path(self._directory, self._index).read_bytes())
        elif not indexes or indexes[-1] != self._index:
            self._load(indexes)

    def _load(self, indexes: list[int]) -> None:
        """Start from the newest file that opens under our key; one behind it that does not is left alone."""
        for index in reversed(indexes):
            data = root_path(self._directory, index).read_bytes()
            header = unpack_root_header(data, self._key)
            if header is not None:
                self._index, self._offset, self.head = index, ROOT_HEADER_SIZE, header.start
                self.open_files, self.newest = {}, None
                self._read_on(data)
                self._broken |= index != indexes[-1]
                return

    def _read_on(self, data: bytes) -> None:
        for entry in follow_roots(data, self._offset, self.head, self._key):
            self._take(entry.head, entry.records)
            self._offset = entry.end
        self._broken = self._offset != len(data)

    def _take(self, head: RootHead, records: tuple[FileRecord, ...]) -> None:
        self.head = head
        for record in records:
            if Mark.CLOSED in record.mark:
                self.open_files.pop(record.file_id, None)
            else:
                self.open_files[record.file_id] = record
            if Mark.OPENED in record.mark or self.newest is None or record.file_id == self.newest.file_id:
                self.newest = record


def current_head(directory: Path, journal_key: bytes) -> RootHead:
    """The root head as it stands on disk, for a process that does not write. (0, zeros) if there is none."""
    key = root_key(journal_key)
    for index in reversed(root_indexes(directory)):
        data = root_path(directory, index).read_bytes()
        header = unpack_root_header(data, key)
        if header is not None:
            head = header.start
            for entry in follow_roots(data, ROOT_HEADER_SIZE, head, key):
                head = entry.head
            return head
    return NO_ROOT


def parse_head(text: str) -> RootHead | None:
    """A head as `str(RootHead)` prints it, or None."""
    sequence, _, digest = text.strip().partition(":")
    try:
        head = RootHead(int(sequence), bytes.fromhex(digest))
    except ValueError:
        return None
    return head if head.sequence >= 0 and len(head.digest) == DIGEST_SIZE else None
