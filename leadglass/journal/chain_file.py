"""One journal file as its writer holds it, and the taking over of files whose writer is gone."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from os import urandom
from pathlib import Path

from leadglass.journal.format import (
    FILE_SUFFIX,
    ID_SIZE,
    EntryCipher,
    FileHeader,
    Position,
    follow,
    pack_header,
    start_of,
)
from leadglass.journal.medium import Medium
from leadglass.journal.root_chain import RootChain
from leadglass.journal.roots import FileRecord, Mark


def journal_path(directory: Path, file_id: bytes) -> Path:
    """Where a journal file lies."""
    return directory / (file_id.hex() + FILE_SUFFIX)


class ChainFile:
    """A journal file that this process appends to and holds the lock of."""

    def __init__(
        self, directory: Path, journal_key: bytes, medium: Medium, before: FileRecord | None, now: int
    ) -> None:
        """Make a new file that follows `before`, durable when this returns. OSError comes through."""
        header = FileHeader(urandom(ID_SIZE), urandom(32), now)
        if before is not None:
            header = FileHeader(
                header.file_id, header.salt, now, before.file_id, before.position.count, before.position.head
            )
        packed = pack_header(header, journal_key)
        path = journal_path(directory, header.file_id)
        self.file_id = header.file_id
        self.position: Position = start_of(packed)
        self._medium = medium
        self._cipher = EntryCipher(header, journal_key)
        self._descriptor = medium.create(path)
        self._open = True
        try:
            medium.lock(self._descriptor, wait=False)
            medium.write(self._descriptor, packed, 0)
            medium.sync(self._descriptor)
            medium.sync_directory(directory)
        except OSError:
            medium.close(self._descriptor)
            with suppress(OSError):
                medium.remove(path)
            raise

    def append(self, plaintexts: Sequence[bytes]) -> None:
        """Write entries; they are on the medium when this returns. After an OSError the file takes no more: a nonce
        that may have reached the medium is never used for another text."""
        at, pieces = self.position, []
        for plaintext in plaintexts:
            entry, at = self._cipher.seal(plaintext, at)
            pieces.append(entry)
        self._medium.write(self._descriptor, b"".join(pieces), self.position.offset)
        self._medium.sync(self._descriptor)
        self.position = at

    def record(self, mark: Mark = Mark.SIGNED) -> FileRecord:
        """The file's head, for the root chain."""
        return FileRecord(self.file_id, self.position, mark)

    def give_up(self) -> None:
        """Cut off what a failed write may have left, as far as the medium lets us, and close."""
        if self._open:
            with suppress(OSError):
                self._medium.truncate(self._descriptor, self.position.offset)
        self.close()

    def close(self) -> None:
        """Close, letting go of the lock. Again is harmless: the descriptor may be another file's by then."""
        if self._open:
            self._open = False
            with suppress(OSError):
                self._medium.close(self._descriptor)


def closing_records(directory: Path, medium: Medium, roots: RootChain) -> tuple[list[FileRecord], list[bytes]]:
    """Closing records for the open files whose writer is gone, and the ids of those that are missing or cut.

    Entries that the writer left behind its last signed head are signed with this. OSError comes through, but for a
    missing file.
    """
    records, damaged = [], []
    for signed in roots.open_files.values():
        try:
            descriptor = medium.open(journal_path(directory, signed.file_id))
        except FileNotFoundError:
            records.append(FileRecord(signed.file_id, signed.position, Mark.CLOSED))
            damaged.append(signed.file_id)
            continue
        try:
            if not medium.lock(descriptor, wait=False):
                continue  # its writer lives
            data = journal_path(directory, signed.file_id).read_bytes()
        finally:
            medium.close(descriptor)
        if len(data) < signed.position.offset:
            damaged.append(signed.file_id)
        last = signed.position
        for entry in follow(data, last):
            last = entry.after
        records.append(FileRecord(signed.file_id, last, Mark.CLOSED))
    return records, damaged
