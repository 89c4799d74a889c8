"""Instances as one ZIP of DICOM files, made while it is sent: stored, not compressed, under names of our own making.

Lengths and checksums stand behind each file (data descriptors, with 64 bits), because they are not known before. With
a passphrase each file in it is encrypted as WinZip does it: AES-256 in CTR mode, authenticated, names in clear.
"""

from __future__ import annotations

import zipfile
from collections.abc import AsyncIterator
from typing import Any, Final

import pyzipper  # type: ignore[import-untyped]  # has no types

from leadglass.core.ports import Buffer
from leadglass.web.files import Files, file_header

MISSING_NAME: Final = "MISSING.txt"


class _Sink:
    """What zipfile writes to; cannot be sought."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: Buffer) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def drain(self) -> bytes:
        """What was written since."""
        pieces, self._pieces = self._pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class _Names:
    """STUDY001/SERIES001/00001.dcm: numbers in the order of the instances, nothing of a patient."""

    def __init__(self) -> None:
        self._studies: dict[str, int] = {}
        self._series: dict[tuple[str, str], tuple[int, int]] = {}  # its number in its study, and files so far
        self._series_of: dict[str, int] = {}

    def name(self, study_uid: str, series_uid: str) -> str:
        """The name of the next file of a series."""
        study = self._studies.setdefault(study_uid, len(self._studies) + 1)
        number, files = self._series.get((study_uid, series_uid), (0, 0))
        if not number:
            number = self._series_of[study_uid] = self._series_of.get(study_uid, 0) + 1
        self._series[study_uid, series_uid] = (number, files + 1)
        return f"STUDY{study:03}/SERIES{number:03}/{files + 1:05}.dcm"


def _archive(sink: _Sink, passphrase: bytes) -> Any:
    if not passphrase:
        return zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED, allowZip64=True)  # type: ignore[call-overload]
    made = pyzipper.AESZipFile(sink, "w", zipfile.ZIP_STORED, allowZip64=True, encryption=pyzipper.WZ_AES)
    made.setpassword(passphrase)
    return made


async def zip_of(files: Files, passphrase: bytes = b"") -> AsyncIterator[Buffer]:
    """The ZIP, in pieces, encrypted if there is a passphrase. What could not be read is named in a text file in it."""
    sink, names = _Sink(), _Names()
    described = pyzipper.zipfile_aes.AESZipInfo if passphrase else zipfile.ZipInfo
    with _archive(sink, passphrase) as archive:
        async for stored, outgoing in files.each():
            name = names.name(stored.identity.study_uid, stored.identity.series_uid)
            with archive.open(described(name), "w", force_zip64=True) as entry:
                entry.write(file_header(stored, outgoing.transfer_syntax_uid))
                async for piece in outgoing.chunks():
                    entry.write(piece)
                    yield sink.drain()
            yield sink.drain()
        if files.missing:
            lines = ["These SOP Instances could not be read:", *files.missing, ""]
            archive.writestr(MISSING_NAME, "\r\n".join(lines))
    yield sink.drain()
