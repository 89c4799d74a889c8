"""Exporting: instances as Part 10 files in a folder or a ZIP, under names of our own making, with a DICOMDIR."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pydicom
from pydicom.fileset import FileSet

from leadglass.core.errors import LeadglassError
from leadglass.core.records import StoredInstance
from leadglass.dicom.part10 import build_file_header
from leadglass.services.retrieve import RetrieveSource


async def export_instances(
    source: RetrieveSource, instances: Sequence[StoredInstance], folder: Path, progress: Callable[[int], None]
) -> list[tuple[str, str]]:
    """Write `instances` below `folder` as DICOM/00000001.dcm and so on; what could not be written, and why."""
    failures = []
    place = folder / "DICOM"
    place.mkdir(parents=True, exist_ok=True)
    for number, stored in enumerate(instances, 1):
        path = place / f"{number:08d}"
        try:
            opened = await source.open(stored, (stored.transfer_syntax_uid,))
            with path.open("xb") as file:
                identity = stored.identity
                file.write(
                    build_file_header(identity.sop_class_uid, identity.sop_instance_uid, opened.transfer_syntax_uid)
                )
                async for piece in opened.chunks:
                    file.write(piece)
        except LeadglassError as error:
            failures.append((stored.identity.sop_instance_uid, error.comment))
        progress(number)
    return failures


def add_dicomdir(folder: Path) -> None:
    """Replace the plain files by a file set with its DICOMDIR (PS3.10). Objects it cannot list stay as they are."""
    plain = folder / "DICOM"
    listing = FileSet()
    for path in sorted(plain.iterdir()):
        try:
            listing.add(pydicom.dcmread(path))
        except (ValueError, AttributeError, KeyError):
            continue
        path.unlink()
    listing.write(folder)
    if not any(plain.iterdir()):
        plain.rmdir()


def zip_folder(folder: Path, target: Path) -> None:
    """The folder as one ZIP file, uncompressed: images do not shrink much, and reading it back is faster."""
    with zipfile.ZipFile(target, "x", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
