"""Where imported files come from: single files, folders, ZIP archives, and what a DICOMDIR refers to.

Everything found here may be hostile. A name in a ZIP or a DICOMDIR is shown and never used as a path outside the folder
that holds the DICOMDIR; what is no regular file is not opened; a ZIP is read as a stream within limits.
"""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from leadglass.core.attributes import AttributeSet
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import (
    MAX_IDENTIFIER_LENGTH,
    MAX_INFLATED_FREELY,
    MAX_INFLATION_RATIO,
    MAX_ZIP_DIRECTORY,
    MAX_ZIP_ENTRIES,
)
from leadglass.dicom.part10 import split_file
from leadglass.dicom.values import read_attributes

DICOMDIR = "DICOMDIR"
_REFERENCED_FILE_ID = 0x00041500
_DIRECTORY_RECORDS = 0x00041220
_TAIL = 66_000  # the end record of a ZIP with the longest comment, and the locator before it
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})  # the others cannot be read in bounded memory
# What a broken or hostile file makes its reader raise; zipfile says RuntimeError for an encrypted entry.
READ_FAILURES = (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error, ValueError, struct.error)


@dataclass(frozen=True, slots=True)
class Source:
    """One file that may be a DICOM object. `more` says that the total grew: a ZIP turned out to hold so many."""

    name: str
    open: Callable[[], AbstractContextManager[BinaryIO]]
    more: int = 0


@dataclass(frozen=True, slots=True)
class Unreadable:
    """One that cannot be opened, and why."""

    name: str
    reason: str


Found = Source | Unreadable


def how_many(paths: list[Path]) -> int:
    """How many files there are, a ZIP counted once: the total of a progress bar."""
    return sum(1 for path in paths for _ in _walk(path))


def sources(paths: list[Path]) -> Iterator[Found]:
    """Every file below `paths`, in the order of names."""
    for path in paths:
        alone = not path.is_dir()
        for item in _walk(path):
            if isinstance(item, Unreadable):
                yield item
            elif item.name.upper() == DICOMDIR:
                if alone:  # in a folder the files that it refers to are found anyway
                    yield from _referred_to(item)
            elif _is_zip(item):
                yield from _zipped(item)
            else:
                yield _file(item)


def _file(path: Path) -> Source:
    return Source(str(path), lambda: path.open("rb"))


def _walk(top: Path) -> Iterator[Path | Unreadable]:
    """Regular files at or below `top`. A link that was named by hand is followed, one that was found is not."""
    try:
        mode = top.stat().st_mode
    except OSError as error:
        yield Unreadable(str(top), _why(error))
        return
    if not stat.S_ISDIR(mode):
        yield top if stat.S_ISREG(mode) else Unreadable(str(top), "is no regular file")
        return
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            yield Unreadable(str(folder), _why(error))
            continue
        waiting.extend(Path(entry.path) for entry in reversed(found) if entry.is_dir(follow_symlinks=False))
        for entry in found:
            if entry.is_file(follow_symlinks=False):
                yield Path(entry.path)
            elif not entry.is_dir(follow_symlinks=False):
                what = "is a symbolic link, not followed" if entry.is_symlink() else "is no regular file"
                yield Unreadable(entry.path, what)


def _why(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "is not there"
    return f"cannot be read: {error.strerror}"


# --- ZIP ----------------------------------------------------------------------------------------------------------


def _is_zip(path: Path) -> bool:
    """Whether it begins as a ZIP and is no DICOM file: one with a ZIP behind it (or in its preamble) stays DICOM."""
    try:
        with path.open("rb") as file:
            head = file.read(132)
    except OSError:
        return False  # opening it again tells the reason
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06")) and head[128:] != b"DICM"


def _zipped(path: Path) -> Iterator[Found]:
    try:
        _check_directory(path)
        archive = zipfile.ZipFile(path)
    except LeadglassError as error:
        yield Unreadable(str(path), error.comment)
        return
    except READ_FAILURES:
        yield Unreadable(str(path), "is a damaged ZIP")
        return
    # Not closed here: `send` looks at every source before it opens one again. The last source to go closes it.
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    reason = _too_much(entries, path)
    if reason:
        yield Unreadable(str(path), reason)
        return
    for number, entry in enumerate(entries):
        name = f"{path}:{entry.filename}"
        more = len(entries) - 1 if number == 0 else 0
        if entry.filename.replace("\\", "/").rsplit("/", 1)[-1].upper() == DICOMDIR:
            continue
        if entry.compress_type not in _METHODS:
            yield Unreadable(name, "is compressed in a way that is not taken")
        else:
            yield Source(name, _opener(archive, entry), more)


def _opener(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Callable[[], AbstractContextManager[BinaryIO]]:
    return lambda: archive.open(entry)  # type: ignore[return-value]  # an IO[bytes] is all that is used of it


def _too_much(entries: list[zipfile.ZipInfo], path: Path) -> str:
    """zipfile never reads more than the declared size of an entry, so the declared sizes bound what can come out."""
    if len(entries) > MAX_ZIP_ENTRIES:
        return f"has more than {MAX_ZIP_ENTRIES:,} entries"
    whole = sum(entry.file_size for entry in entries)
    if whole > max(MAX_INFLATED_FREELY, MAX_INFLATION_RATIO * path.stat().st_size):
        return f"would unpack to more than {MAX_INFLATION_RATIO} times its size"
    return ""


def _check_directory(path: Path) -> None:
    """Refuse a ZIP whose directory alone would fill the memory, before anybody reads it."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - _TAIL))
        tail = file.read()
        at = tail.rfind(b"PK\x05\x06")
        if at < 0 or len(tail) < at + 22:
            raise LeadglassError(ErrorCode.UNPARSABLE, "is a damaged ZIP")
        (length,) = struct.unpack_from("<I", tail, at + 12)
        if length == 0xFFFFFFFF and at >= 20 and tail[at - 20 : at - 16] == b"PK\x06\x07":
            (offset,) = struct.unpack_from("<Q", tail, at - 12)
            file.seek(min(offset, end))
            record = file.read(56)
            length = struct.unpack_from("<Q", record, 40)[0] if record.startswith(b"PK\x06\x06") else 0
    if length > MAX_ZIP_DIRECTORY:
        raise LeadglassError(ErrorCode.UNPARSABLE, f"has more than {MAX_ZIP_ENTRIES:,} entries")


# --- DICOMDIR (PS3.3 annex F) -------------------------------------------------------------------------------------


def _referred_to(dicomdir: Path) -> Iterator[Found]:
    try:
        names = _file_ids(dicomdir)
    except (LeadglassError, *READ_FAILURES) as error:
        comment = error.comment if isinstance(error, LeadglassError) else "cannot be read"
        yield Unreadable(str(dicomdir), comment)
        return
    folder = dicomdir.parent
    for number, name in enumerate(names):
        path = _below(folder, name)
        if path is None:
            yield Unreadable(
                f"{dicomdir}:{'/'.join(name)}", "is not a name below the folder of the DICOMDIR, or not there"
            )
        else:
            yield Source(str(path), _file(path).open, len(names) - 1 if number == 0 else 0)


def _file_ids(dicomdir: Path) -> list[tuple[str, ...]]:
    """The Referenced File IDs, each as its components."""
    with dicomdir.open("rb") as file:
        content = file.read(MAX_IDENTIFIER_LENGTH + 1)
    if len(content) > MAX_IDENTIFIER_LENGTH:
        raise LeadglassError(ErrorCode.UNPARSABLE, "is too long; import the folder around it")
    start = split_file(content)
    records = read_attributes(content[start.data_set_offset :], start.transfer_syntax_uid).get(_DIRECTORY_RECORDS)
    found: dict[tuple[str, ...], None] = {}
    for record in records.values if records is not None else ():
        if isinstance(record, dict) and _REFERENCED_FILE_ID in record:
            found[_components(record)] = None
    found.pop((), None)
    return list(found)


def _components(record: AttributeSet) -> tuple[str, ...]:
    return tuple(str(part).strip() for part in record[_REFERENCED_FILE_ID].values)


def _below(folder: Path, name: tuple[str, ...]) -> Path | None:
    """The regular file that a File ID names, itself below `folder` with every link followed; None if there is none.

    Discs are mounted with their names in capitals or in small letters; both are tried.
    """
    if any(part in ("", ".", "..") or "/" in part or "\\" in part or "\0" in part for part in name):
        return None
    for parts in (name, tuple(part.lower() for part in name)):
        path = folder.joinpath(*parts)
        if path.is_file() and path.resolve().is_relative_to(folder.resolve()):
            return path
    return None
