"""Importing files: each goes through ingest as if it had been sent; what cannot be read is listed, never fatal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from leadglass.app.import_sources import READ_FAILURES, Source, Unreadable, how_many, sources
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import Principal
from leadglass.dicom.opening import LONGEST_START, Looked, look_at
from leadglass.services.ingest import Announced, Ingest, StoreOutcome

PIECE = 1024 * 1024
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


def look(file: BinaryIO) -> tuple[Looked, bytes]:
    """Read the start of a DICOM file: what it says, and what was read of the data set. LeadglassError UNPARSABLE if it
    is none, UNSUPPORTED if its class is not one of storage."""
    head = file.read(LONGEST_START)
    if head.startswith(b"PK\x03\x04") and head[128:132] != b"DICM":
        raise LeadglassError(ErrorCode.UNPARSABLE, "is a ZIP within a ZIP, not opened")
    seen = look_at(head, whole=True)
    assert seen is not None
    seen.require_storage()
    return seen, head[seen.data_set_offset :]


async def _import_one(ingest: Ingest, principal: Principal, file: BinaryIO) -> StoreOutcome:
    seen, piece = look(file)
    announced = Announced(seen.sop_class, seen.sop_instance, seen.transfer_syntax_uid, file_meta=seen.file_meta)
    reception = ingest.begin(principal, announced)
    try:
        while piece:
            reception.feed(piece)
            while reception.congested:
                await reception.relieve()
            piece = file.read(PIECE)
        return (await reception.complete()).outcome
    except BaseException:
        reception.abort()
        raise
