"""The verifier: proves that nothing was edited, deleted, reordered or cut, and says what it cannot see.

Proof runs in two steps: the root chain is sound from its first entry, and every file reaches each head that the root
chain (or a following file) has of it. What it cannot see is said as a note: entries behind a file's last signed head
may have been cut, and the root chain together with its files may have been cut back to an earlier state unless a head
that was kept elsewhere is handed in.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from leadglass.journal.format import (
    FILE_SUFFIX,
    HEADER_SIZE,
    NO_FILE,
    EntryCipher,
    FileHeader,
    Position,
    follow,
    is_torn,
    start_of,
    unpack_header,
)
from leadglass.journal.roots import (
    LOCK_NAME,
    NO_ROOT,
    ROOT_HEADER_SIZE,
    FileRecord,
    Mark,
    RootHead,
    follow_roots,
    is_torn_root,
    root_indexes,
    root_key,
    root_path,
    unpack_root_header,
)


@dataclass(slots=True)
class Verification:
    """What was looked at and found. `problems` mean tampering or damage; `notes` are limits of what can be seen."""

    files: int = 0
    entries: int = 0
    head: RootHead = NO_ROOT
    signed_at: int = 0  # time of the last root entry, ns since the epoch
    unsigned_entries: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether no problem was found."""
        return not self.problems


@dataclass(slots=True)
class _Claims:
    """What others say of one file: heads by count, and whether and where it is closed."""

    heads: dict[int, set[bytes]] = field(default_factory=dict)
    announced: bool = False
    closed: Position | None = None
    signed: int = 0

    def add(self, position: Position) -> None:
        self.heads.setdefault(position.count, set()).add(position.head)


def verify_journal(
    directory: Path,
    journal_key: bytes,
    kept: Sequence[RootHead] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Verification:
    """Verify the whole journal, also while it is written. `kept` are heads noted or shipped earlier; `progress` is told
    how many files of how many are done."""
    result = Verification()
    claims: dict[bytes, _Claims] = {}
    with _standing_still(directory):
        _verify_roots(directory, root_key(journal_key), kept, claims, result)
        paths = sorted(directory.glob("*" + FILE_SUFFIX))
    headers = _read_headers(paths, journal_key, claims, result)
    for file_id in claims.keys() - headers.keys():
        result.problems.append(f"{file_id.hex()}{FILE_SUFFIX}: named in the chain, but missing or unreadable")
    for done, (file_id, header) in enumerate(headers.items()):
        progress(done, len(headers))
        path = directory / (file_id.hex() + FILE_SUFFIX)
        _verify_file(path, header, journal_key, claims.get(file_id, _Claims()), result)
    _say_limits(result, kept)
    return result


@contextmanager
def _standing_still(directory: Path) -> Iterator[None]:
    """Keep writers from announcing files meanwhile, if this is not a mere copy of the files."""
    try:
        descriptor = os.open(directory / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def _verify_roots(
    directory: Path, key: bytes, kept: Sequence[RootHead], claims: dict[bytes, _Claims], result: Verification
) -> None:
    indexes = root_indexes(directory)
    if indexes != list(range(1, len(indexes) + 1)):
        result.problems.append("the root chain: a file of it is missing")
    expected = {head.sequence: head.digest for head in kept if head.sequence}
    for index in indexes:
        data = root_path(directory, index).read_bytes()
        name = root_path(directory, index).name
        header = unpack_root_header(data, key)
        if header is None or header.index != index:
            result.problems.append(f"{name}: its header is damaged")
            continue
        if header.previous != result.head:
            result.problems.append(f"{name}: does not follow the file before it")
        result.head, end = header.start, ROOT_HEADER_SIZE
        for entry in follow_roots(data, ROOT_HEADER_SIZE, header.start, key):
            if expected.get(entry.head.sequence, entry.head.digest) != entry.head.digest:
                result.problems.append(f"{name}: root entry {entry.head.sequence} is not the one that was kept")
            expected.pop(entry.head.sequence, None)
            result.head, result.signed_at, end = entry.head, entry.time, entry.end
            _claim(entry.records, claims)
        if end != len(data):
            _judge_rest(name, is_torn_root(data, end), result)
    for sequence in sorted(expected):
        result.problems.append(f"the root chain: entry {sequence}, which was kept, is missing: the chain was cut")


def _claim(records: Sequence[FileRecord], claims: dict[bytes, _Claims]) -> None:
    for record in records:
        claim = claims.setdefault(record.file_id, _Claims())
        claim.announced = True
        claim.signed = max(claim.signed, record.position.count)
        claim.add(record.position)
        if Mark.CLOSED in record.mark:
            claim.closed = record.position


def _read_headers(
    paths: Sequence[Path], journal_key: bytes, claims: dict[bytes, _Claims], result: Verification
) -> dict[bytes, FileHeader]:
    headers = {}
    for path in paths:
        with path.open("rb") as file:
            data = file.read(HEADER_SIZE)
        header = unpack_header(data, journal_key)
        if header is not None and path.name == header.file_id.hex() + FILE_SUFFIX:
            headers[header.file_id] = header
            if header.predecessor != NO_FILE:
                place = Position(header.predecessor_count, 0, header.predecessor_head)
                claims.setdefault(header.predecessor, _Claims()).add(place)
        elif len(data) < HEADER_SIZE and path.stem not in {file_id.hex() for file_id in claims}:
            result.notes.append(f"{path.name}: begun and never used (the header is unfinished)")
        else:
            result.problems.append(f"{path.name}: its header is damaged")
    return headers


def _verify_file(path: Path, header: FileHeader, journal_key: bytes, claims: _Claims, result: Verification) -> None:
    data = path.read_bytes()
    cipher = EntryCipher(header, journal_key)
    at = start_of(data)
    unmet = {count: set(heads) for count, heads in claims.heads.items()}
    _meet(unmet, at)
    for entry in follow(data, at):
        if cipher.open(entry) is None:
            result.problems.append(f"{path.name}: entry {entry.sequence} does not open")
        at = entry.after
        _meet(unmet, at)
    result.files += 1
    result.entries += at.count
    if unmet:
        result.problems.append(
            f"{path.name}: ends or differs before entry {min(unmet)}, which the chain names: edited, reordered or cut"
        )
    _judge_end(path.name, data, at, claims, result)


def _judge_end(name: str, data: bytes, at: Position, claims: _Claims, result: Verification) -> None:
    if not claims.announced and at.count:
        result.problems.append(f"{name}: has entries, but the root chain does not know it")
    elif claims.closed is not None and at.count > claims.closed.count:
        result.problems.append(f"{name}: has entries behind its closing")
    elif claims.closed is None and at.count > claims.signed:
        result.unsigned_entries += at.count - claims.signed
    if at.offset != len(data):
        _judge_rest(name, is_torn(data, at.offset), result)


def _judge_rest(name: str, torn: bool, result: Verification) -> None:
    if torn:
        result.notes.append(f"{name}: ends with an entry that was never finished (power or disk failed there)")
    else:
        result.problems.append(f"{name}: what stands behind its last good entry does not follow it")


def _meet(unmet: dict[int, set[bytes]], at: Position) -> None:
    heads = unmet.get(at.count)
    if heads is not None:
        heads.discard(at.head)
        if not heads:
            del unmet[at.count]


def _say_limits(result: Verification, kept: Sequence[RootHead]) -> None:
    if result.unsigned_entries:
        result.notes.append(
            f"{result.unsigned_entries} entries are behind the last signed head: were some cut there, it would not show"
        )
    newest = max((head.sequence for head in kept), default=0)
    if newest < result.head.sequence:
        result.notes.append(
            f"root entries behind {newest} are not covered by a head kept elsewhere: had the root chain and its files"
            " been cut together back to there, it would not show"
        )
