"""Which transfer syntax an instance leaves in, and the conversion into it (PS3.5 section 10 and annex A)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.ports import Buffer, PixelDecoder, RecordReader
from leadglass.dicom.decompress import decompress
from leadglass.dicom.transcode import Transcoder
from leadglass.dicom.transfer_syntaxes import TRANSFER_SYNTAXES
from leadglass.dicom.uids import (
    DEFLATED_EXPLICIT_VR_LE,
    EXPLICIT_VR_BE,
    EXPLICIT_VR_LE,
    IMPLICIT_VR_LE,
)

NATIVE = (EXPLICIT_VR_LE, IMPLICIT_VR_LE, DEFLATED_EXPLICIT_VR_LE, EXPLICIT_VR_BE)


def conversion_target(stored: str, accepted: Sequence[str]) -> str | None:
    """The syntax to send in: as stored if `accepted` has it, else the first native one that it has; None if none fits.

    An instance in a syntax this archive cannot read leaves only as it is.
    """
    if stored in accepted:
        return stored
    if stored not in TRANSFER_SYNTAXES:
        return None
    return next((uid for uid in NATIVE if uid in accepted), None)


def needs_decoder(stored: str, target: str) -> bool:
    """Whether the pixels have to be decompressed on the way from `stored` to `target`."""
    return stored != target and TRANSFER_SYNTAXES[stored].encapsulated


def converted(reader: RecordReader, stored: str, target: str, decoder: PixelDecoder) -> Iterator[Buffer]:
    """The data set of `reader` in `target`, in pieces. LeadglassError CANNOT_CONVERT if its pixels do not decode."""
    if stored == target:
        yield from reader.chunks()
        return
    if not needs_decoder(stored, target):
        yield from transcoded(reader.chunks(), stored, target)
        return
    yield from decompress(reader.read, stored, target, decoder)


def transcoded(pieces: Iterator[Buffer], source: str, target: str) -> Iterator[bytes]:
    """Native data set bytes, re-encoded. CANNOT_CONVERT if they do not parse."""
    transcoder = Transcoder(source, target)
    try:
        for piece in pieces:
            yield from transcoder.feed(piece)
        yield from transcoder.finish()
    except LeadglassError as error:
        if error.code is not ErrorCode.UNPARSABLE:
            raise
        raise LeadglassError(ErrorCode.CANNOT_CONVERT, "The data set could not be re-encoded.") from error
