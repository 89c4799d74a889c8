"""Importing files: folders, ZIP archives and single files go through ingest; what cannot be read is listed."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import Principal
from leadglass.dicom.part10 import split_file
from leadglass.dicom.scan import HeaderScanner, text_of
from leadglass.dicom.sop_classes import STORAGE_SOP_CLASSES
from leadglass.services.identify import SOP_CLASS_UID, SOP_INSTANCE_UID
from leadglass.services.ingest import Announced, Ingest, StoreOutcome

PIECE = 1024 * 1024
HEAD = 256 * 1024
MAX_ZIP_ENTRIES = 200_000
SKIPPED_NAMES = frozenset({"DICOMDIR"})


@dataclass(slots=True)
class ImportReport:
    """What became of the files."""

    stored: int = 0
    already: int = 0
    unreadable: list[tuple[str, str]] = field(default_factory=list)


async def import_paths(
    ingest: Ingest, principal: Principal, paths: list[Path], progress: Callable[[int], None]
) -> ImportReport:
    """Import every DICOM file below `paths`. Never fatal: a file that is refused is listed with the reason."""
    report = ImportReport()
    for done, (name, open_file) in enumerate(_files(paths, report)):
        try:
            with open_file() as file:
                outcome = await _import_one(ingest, principal, file)
        except LeadglassError as error:
            report.unreadable.append((name, error.comment))
        except (OSError, zipfile.BadZipFile, RuntimeError) as error:
            report.unreadable.append((name, f"cannot be read ({type(error).__name__})"))
        else:
            if outcome in (StoreOutcome.ALREADY_THERE, StoreOutcome.RESTORED):
                report.already += 1
            else:
                report.stored += 1
        progress(done + 1)
    return report


async def _import_one(ingest: Ingest, principal: Principal, file: BinaryIO) -> StoreOutcome:
    head = file.read(HEAD)
    start = split_file(head)
    first = head[start.data_set_offset :]
    sop_class, sop_instance = _announced_by(first, start.transfer_syntax_uid)
    if sop_class not in STORAGE_SOP_CLASSES:
        raise LeadglassError(ErrorCode.UNPARSABLE, "not an object of a storage SOP class")
    announced = Announced(sop_class, sop_instance, start.transfer_syntax_uid, file_meta=start.file_meta)
    reception = ingest.begin(principal, announced)
    try:
        piece = first
        while piece:
            reception.feed(piece)
            while reception.congested:
                await reception.relieve()
            piece = file.read(PIECE)
        return (await reception.complete()).outcome
    except BaseException:
        reception.abort()
        raise


def _announced_by(first: bytes, transfer_syntax_uid: str) -> tuple[str, str]:
    scanner = HeaderScanner(transfer_syntax_uid)
    scanner.feed(first)
    scan = scanner.partial
    return text_of(scan, SOP_CLASS_UID), text_of(scan, SOP_INSTANCE_UID)


Opener = Callable[[], BinaryIO]


def _files(paths: list[Path], report: ImportReport) -> Iterator[tuple[str, Opener]]:
    for path in paths:
        if path.is_dir():
            yield from _files(sorted(item for item in path.iterdir() if not item.is_symlink()), report)
        elif path.name in SKIPPED_NAMES:
            continue
        elif not path.exists():
            report.unreadable.append((str(path), "is not there"))
        elif zipfile.is_zipfile(path):
            yield from _zipped(path, report)
        else:
            yield str(path), lambda path=path: path.open("rb")  # type: ignore[misc]  # binds this path


def _zipped(path: Path, report: ImportReport) -> Iterator[tuple[str, Opener]]:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if len(entries) > MAX_ZIP_ENTRIES:
            report.unreadable.append((str(path), "has too many entries"))
            return
        for entry in entries:
            if not entry.is_dir() and Path(entry.filename).name not in SKIPPED_NAMES:
                yield f"{path}:{entry.filename}", lambda entry=entry: archive.open(entry)  # type: ignore[misc]
