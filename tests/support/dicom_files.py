"""Small DICOM files for tests of import and export, in folders and in ZIPs."""

from __future__ import annotations

from pathlib import Path

import interop_studies as studies

from leadglass.dicom.part10 import split_file

ALL = studies.ALL_SERIES
COUNT = sum(series.images for series in ALL)
UIDS = {f"{series.uid}.{number}" for series in ALL for number in range(1, series.images + 1)}


def write(folder: Path) -> list[Path]:
    """Seven files of two patients in three studies."""
    return studies.write(folder)


def one(folder: Path) -> bytes:
    """The bytes of one of them."""
    return write(folder)[0].read_bytes()


def data_set(content: bytes) -> bytes:
    """What follows the File Meta Information."""
    return content[split_file(content).data_set_offset :]
