"""Exporting: instances as DICOM files in a folder or a ZIP, under names of our own making, with a DICOMDIR.

The data sets leave as they came, byte for byte. A file that could not be read whole is not left behind.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from leadglass.app.dicomdir import DirectoryBuilder
from leadglass.core.errors import LeadglassError
from leadglass.core.identity import InstanceIdentity
from leadglass.core.ports import OutgoingDataSet, OutgoingSource
from leadglass.core.records import StoredInstance
from leadglass.dicom.part10 import build_file_header

FileId = tuple[str, ...]
DRAFT = ".draft"


@dataclass(slots=True)
class ExportReport:
    """What was written; per SOP Instance UID what could not be, or is not in the DICOMDIR, and why."""

    written: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    unlisted: int = 0


class Shelf(Protocol):
    """Where exported files go."""

    @property
    def draft(self) -> Path:
        """Where the next file is written before it has its place."""
        ...

    def put(self, file_id: FileId) -> None:
        """Give the draft its place."""
        ...

    def finish(self, dicomdir: bytes) -> None:
        """All files are there."""
        ...


class FolderShelf:
    """A folder as it is burnt to a disc."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.draft = folder / DRAFT

    def put(self, file_id: FileId) -> None:
        """See Shelf."""
        path = self._folder.joinpath(*file_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.draft.rename(path)

    def finish(self, dicomdir: bytes) -> None:
        """See Shelf."""
        (self._folder / "DICOMDIR").write_bytes(dicomdir)


class ZipShelf:
    """A ZIP, not compressed: images do not shrink much. One file at a time lies beside it meanwhile."""

    def __init__(self, archive: zipfile.ZipFile, folder: Path) -> None:
        self._archive = archive
        self.draft = folder / DRAFT

    def put(self, file_id: FileId) -> None:
        """See Shelf."""
        self._archive.write(self.draft, "/".join(file_id))
        self.draft.unlink()

    def finish(self, dicomdir: bytes) -> None:
        """See Shelf."""
        self._archive.writestr("DICOMDIR", dicomdir)


@contextmanager
def shelf(target: Path) -> Iterator[Shelf]:
    """A new folder, or a new ZIP if `target` ends so, for the owner's eyes alone. A ZIP that was not finished is
    removed; a folder that was not finished has no DICOMDIR. Raises FileExistsError: nothing is overwritten."""
    if target.suffix.lower() != ".zip":
        target.mkdir(mode=0o700, parents=True)
        made = FolderShelf(target)
        try:
            yield made
        finally:
            made.draft.unlink(missing_ok=True)
        return
    target.touch(mode=0o600, exist_ok=False)
    try:
        with (
            tempfile.TemporaryDirectory(dir=target.parent, prefix=".leadglass-export-") as scratch,
            zipfile.ZipFile(target, "w", zipfile.ZIP_STORED, allowZip64=True) as archive,
        ):
            yield ZipShelf(archive, Path(scratch))
    except BaseException:
        target.unlink(missing_ok=True)
        raise


async def export_instances(
    source: OutgoingSource, instances: Sequence[StoredInstance], place: Shelf, progress: Callable[[int, int], None]
) -> ExportReport:
    """Write `instances` and their DICOMDIR; what could not be written is in the report."""
    report, builder, names = ExportReport(), DirectoryBuilder(), _Names()
    opened = source.open_all(instances, lambda stored: (stored.transfer_syntax_uid,))
    number = 0
    while (item := await opened.next()) is not None:
        number += 1
        identity = item.stored.identity
        try:
            if isinstance(item.outgoing, LeadglassError):
                raise item.outgoing
            await _write(place.draft, identity, item.outgoing)
        except LeadglassError as error:
            report.failures.append((identity.sop_instance_uid, error.comment))
        else:
            file_id = names.next(identity)
            report.unlisted += not _listed(builder, place.draft, file_id)
            place.put(file_id)
            report.written += 1
        progress(number, len(instances))
    place.finish(builder.encode())
    return report


async def _write(path: Path, identity: InstanceIdentity, outgoing: OutgoingDataSet) -> None:
    syntax = outgoing.transfer_syntax_uid
    with path.open("wb") as file:
        file.write(build_file_header(identity.sop_class_uid, identity.sop_instance_uid, syntax))
        async for piece in outgoing.chunks():
            file.write(piece)


def _listed(builder: DirectoryBuilder, path: Path, file_id: FileId) -> bool:
    try:
        return builder.add(path, file_id)
    except Exception:  # whatever pydicom makes of an odd object: the file itself is exported
        return False


class _Names:
    """File IDs of eight digits each for study, series and instance: names in a peer's words never become paths."""

    def __init__(self) -> None:
        self._studies: dict[str, int] = {}
        self._series: dict[tuple[str, str], int] = {}
        self._instances: dict[tuple[str, str], int] = {}

    def next(self, identity: InstanceIdentity) -> FileId:
        """The File ID of the next instance."""
        study = self._studies.setdefault(identity.study_uid, len(self._studies) + 1)
        key = (identity.study_uid, identity.series_uid)
        series = self._series.setdefault(key, len(self._series) + 1)
        self._instances[key] = number = self._instances.get(key, 0) + 1
        return ("DICOM", *(f"{part:08d}" for part in (study, series, number)))
