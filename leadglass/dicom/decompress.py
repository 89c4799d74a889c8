"""Writes an object with compressed pixels out in a native transfer syntax, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from leadglass.core.ports import PixelDecoder
from leadglass.dicom.codestreams import frame_length
from leadglass.dicom.frames import FrameLocator, ReadAt
from leadglass.dicom.overlay import RootEdit
from leadglass.dicom.pixels import (
    EXTENDED_OFFSET_TABLE,
    EXTENDED_OFFSET_TABLE_LENGTHS,
    PIXEL_REPRESENTATION,
    PixelHeader,
    describe,
    native_edits,
    native_pixel_data_header,
    read_pixel_header,
)
from leadglass.dicom.refusal import broken
from leadglass.dicom.transcode import Transcoder, can_transcode
from leadglass.dicom.transfer_syntaxes import lookup
from leadglass.dicom.uids import EXPLICIT_VR_LE

_PIECE: Final = 256 * 1024


def locate_frames(read: ReadAt, header: PixelHeader, number_of_frames: int) -> FrameLocator:
    """The frames of the encapsulated pixel data that `header` found."""
    offsets = header.values.get(EXTENDED_OFFSET_TABLE)
    lengths = header.values.get(EXTENDED_OFFSET_TABLE_LENGTHS)
    if (offsets is None) != (lengths is None):
        raise broken("half of the extended offset table is missing")
    extended = None if offsets is None or lengths is None else (offsets, lengths)
    return FrameLocator(read, header.pixel_data.value_offset, number_of_frames, extended)


def decompress(read: ReadAt, source_ts: str, target_ts: str, decoder: PixelDecoder) -> Iterator[bytes]:
    """The data set that `read` gives, stored in the encapsulated `source_ts`, in the native `target_ts`.

    One frame at a time is in memory. Everything that can be known early (description, tables, the first frame) is
    checked before the first piece is given; a later frame that fails raises in the middle. LeadglassError
    CANNOT_CONVERT.
    """
    syntax = lookup(source_ts)
    if syntax is None or not syntax.encapsulated or not can_transcode(EXPLICIT_VR_LE, target_ts):
        raise broken("there is no way between the transfer syntaxes")
    header = read_pixel_header(read, source_ts)
    if header.pixel_data.length != 0xFFFFFFFF:
        raise broken("pixel data is not encapsulated as its transfer syntax says")
    description = describe(header, source_ts)
    frames = locate_frames(read, header, description.number_of_frames)
    decoded = iter(decoder.decode(description, frames))
    try:
        first = next(decoded, None)
        if first is None:
            raise broken("the decoder gave no frame")
        edits = native_edits(header, description, first.photometric_interpretation)
        transcoder = _transcoder(target_ts, edits, header)
        yield from _copy(read, 0, header.pixel_data.offset, transcoder)
        yield from transcoder.feed(native_pixel_data_header(description))
        frame = first
        for number in range(description.number_of_frames):
            if number:
                later = next(decoded, None)
                if later is None or later.photometric_interpretation != first.photometric_interpretation:
                    raise broken("frames do not decode alike")
                frame = later
            if len(frame.pixels) != frame_length(description):
                raise broken("a frame decodes to another size than the header says")
            yield from transcoder.feed(frame.pixels)
        if frame_length(description) * description.number_of_frames % 2:
            yield from transcoder.feed(b"\0")
        yield from _copy(read, frames.end(), None, transcoder)
        yield from transcoder.finish()
    finally:
        close = getattr(decoded, "close", None)
        if close is not None:
            close()


def _transcoder(target_ts: str, edits: dict[int, RootEdit | None], header: PixelHeader) -> Transcoder:
    signed = header.values.get(PIXEL_REPRESENTATION, b"\0\0") == b"\1\0"
    return Transcoder(EXPLICIT_VR_LE, target_ts, edits=edits, signed=signed)


def _copy(read: ReadAt, start: int, end: int | None, transcoder: Transcoder) -> Iterator[bytes]:
    """Feed data set bytes [start, end) to the transcoder; to the end of the data set if `end` is None."""
    while end is None or start < end:
        piece = read(start, _PIECE if end is None else min(_PIECE, end - start))
        if not piece:
            return
        yield from transcoder.feed(piece)
        start += len(piece)
