"""Importing files: each goes through ingest as if it had been sent; what cannot be read is listed, never fatal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from leadglass.app.import_sources import READ_FAILURES, Source, Unreadable, how_many, sources
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import Principal
from leadglass.dicom.part10 import split_file
from leadglass.dicom.scan import HeaderScanner, text_of
from leadglass.dicom.sop_classes import STORAGE_SOP_CLASSES
from leadglass.services.identify import SOP_CLASS_UID, SOP_INSTANCE_UID
from leadglass.services.ingest import Announced, Ingest, StoreOutcome

PIECE = 1024 * 1024
HEAD = 256 * 1024
# Not this file's fault, and the next one would fare no better.
_HOPELESS = frozenset({ErrorCode.OUT_OF_RESOURCES, ErrorCode.NOT_AUTHORISED, ErrorCode.UNAVAILABLE, ErrorCode.INTERNAL})


@dataclass(slots=True)
class ImportReport:
    """What became of the files."""

    stored: int = 0
    already: int = 0
    unreadable: list[Unreadable] = field(default_factory=list)

    @property
    def done(self) -> int:
        """How many files were looked at."""
        return self.stored + self.already + len(self.unreadable)


async def import_paths(
    ingest: Ingest,
    principal: Principal,
    paths: list[Path],
    report: ImportReport,
    progress: Callable[[int, int], None],
) -> None:
    """Import every DICOM file below `paths`, counting in `report`, which is true at every moment.

    A file that is refused is listed with the reason. Raises OUT_OF_RESOURCES, NOT_AUTHORISED or UNAVAILABLE when the
    archive itself cannot go on; what was stored until then stays.
    """
    total = how_many(paths)
    for found in sources(paths):
        if isinstance(found, Source):
            total += found.more
            await _take(ingest, principal, found, report)
        else:
            report.unreadable.append(found)
        progress(report.done, max(total, report.done))


async def _take(ingest: Ingest, principal: Principal, source: Source, report: ImportReport) -> None:
    try:
        with source.open() as file:
            outcome = await _import_one(ingest, principal, file)
    except LeadglassError as error:
        if error.code in _HOPELESS:
            raise
        report.unreadable.append(Unreadable(source.name, error.comment))
    except READ_FAILURES as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        report.unreadable.append(Unreadable(source.name, f"cannot be read ({reason})"))
    else:
        if outcome in (StoreOutcome.ALREADY_THERE, StoreOutcome.RESTORED):
            report.already += 1
        else:
            report.stored += 1


@dataclass(frozen=True, slots=True)
class Looked:
    """What the start of a file says of the object in it. `first` is what was read of its data set."""

    sop_class: str
    sop_instance: str
    transfer_syntax_uid: str
    data_set_offset: int
    file_meta: bytes
    first: bytes


def look(file: BinaryIO) -> Looked:
    """Read the start of a DICOM file. LeadglassError UNPARSABLE if it is none, or its class is not one of storage."""
    head = file.read(HEAD)
    if head.startswith(b"PK\x03\x04") and head[128:132] != b"DICM":
        raise LeadglassError(ErrorCode.UNPARSABLE, "is a ZIP within a ZIP, not opened")
    start = split_file(head)
    first = head[start.data_set_offset :]
    scanner = HeaderScanner(start.transfer_syntax_uid)
    scanner.feed(first)
    scan = scanner.partial
    sop_class = text_of(scan, SOP_CLASS_UID)
    if sop_class not in STORAGE_SOP_CLASSES:
        raise LeadglassError(ErrorCode.UNPARSABLE, "not an object of a storage SOP class")
    return Looked(
        sop_class,
        text_of(scan, SOP_INSTANCE_UID),
        start.transfer_syntax_uid,
        start.data_set_offset,
        start.file_meta,
        first,
    )


async def _import_one(ingest: Ingest, principal: Principal, file: BinaryIO) -> StoreOutcome:
    seen = look(file)
    announced = Announced(seen.sop_class, seen.sop_instance, seen.transfer_syntax_uid, file_meta=seen.file_meta)
    reception = ingest.begin(principal, announced)
    try:
        piece = seen.first
        while piece:
            reception.feed(piece)
            while reception.congested:
                await reception.relieve()
            piece = file.read(PIECE)
        return (await reception.complete()).outcome
    except BaseException:
        reception.abort()
        raise
