"""What the start of a DICOM file says of the object in it, before all of it is there: for files and for uploads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import KIB
from leadglass.dicom.part10 import split_file
from leadglass.dicom.scan import HeaderScanner, text_of
from leadglass.dicom.sop_classes import STORAGE_SOP_CLASSES

LONGEST_START: Final = 256 * KIB  # bytes in which the two SOP UIDs have come

_SOP_CLASS_UID: Final = 0x00080016
_SOP_INSTANCE_UID: Final = 0x00080018
_ENOUGH: Final = 16  # bytes of a data set, without which its transfer syntax cannot be guessed


@dataclass(frozen=True, slots=True)
class Looked:
    """What the start of a file says of the object in it; UIDs as text, empty where it has none."""

    sop_class: str
    sop_instance: str
    transfer_syntax_uid: str
    data_set_offset: int
    file_meta: bytes

    def require_storage(self) -> None:
        """UNSUPPORTED if the class is not one of storage."""
        if self.sop_class not in STORAGE_SOP_CLASSES:
            comment = "not an object of a storage SOP class"
            raise LeadglassError(ErrorCode.UNSUPPORTED, comment, tags=(_SOP_CLASS_UID,))


def look_at(start: bytes, *, whole: bool) -> Looked | None:
    """What `start`, the first bytes of a file, says; None if more bytes are needed to tell.

    With `whole` there are no more, or LONGEST_START were given: then it always tells. LeadglassError UNPARSABLE if it
    is no DICOM file, or if it breaks off being one before both SOP UIDs were read.
    """
    whole = whole or len(start) >= LONGEST_START
    try:
        file = split_file(start)
    except LeadglassError:
        if whole:
            raise
        return None
    if not whole and file.data_set_offset + _ENOUGH > len(start):
        return None
    scanner = HeaderScanner(file.transfer_syntax_uid)
    broken: LeadglassError | None = None
    try:
        scanner.feed(memoryview(start)[file.data_set_offset :])
    except LeadglassError as error:
        broken = error
    sop_class, sop_instance = (text_of(scanner.partial, tag) for tag in (_SOP_CLASS_UID, _SOP_INSTANCE_UID))
    if broken is not None and not (sop_class and sop_instance):
        raise broken
    if not (whole or broken or scanner.identified):
        return None
    return Looked(sop_class, sop_instance, file.transfer_syntax_uid, file.data_set_offset, file.file_meta)
