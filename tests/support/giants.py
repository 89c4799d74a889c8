"""Instances of gigabytes that never stand in memory: their bytes are made as they are sent, and hashed as they come."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from random import Random

from asking import image_identifier
from blake3 import blake3
from objects import data_set, encoded, uid
from pydicom.dataset import Dataset

from leadglass.dicom import uids
from leadglass.net.proposals import NATIVE_SYNTAXES, association_request, propose_one
from leadglass.net.requestor import dial
from leadglass.wire.dimse.commands import Command
from leadglass.wire.ul.pdu import AcceptedContext

SIDE = 1024  # rows and columns of a frame
RUN = 128  # bytes of a literal run in RLE (PS3.5 annex G.3.1)
BYTE_CLASS = "1.2.840.10008.5.1.4.1.1.7.2"  # Multi-frame Grayscale Byte Secondary Capture
WORD_CLASS = "1.2.840.10008.5.1.4.1.1.7.3"  # Multi-frame Grayscale Word Secondary Capture


PIXEL_DATA = struct.pack("<HHc", 0x7FE0, 0x0010, b"O")  # and B or W: explicit VR


def _frame_of(size: int) -> bytes:
    return Random(size).randbytes(size)


def _numbered(frame: bytes, number: int) -> bytes:
    """No two frames are the same: one that is lost, doubled or swapped changes the digest."""
    return struct.pack("<Q", number) + frame[8:]


def _header(number: int, sop_class: str, frames: int, bits: int) -> Dataset:
    return data_set(
        *(9, number),
        SOPClassUID=sop_class,
        PixelData=None,
        Modality="OT",
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        NumberOfFrames=frames,
        Rows=SIDE,
        Columns=SIDE,
        BitsAllocated=bits,
        BitsStored=bits,
        HighBit=bits - 1,
        PixelRepresentation=0,
    )


@dataclass(frozen=True)
class Native:
    """A native multi-frame instance of 16 bits, `frames` times 2 MiB of pixels."""

    number: int
    frames: int
    sop_class = WORD_CLASS
    syntax = uids.EXPLICIT_VR_LE

    @property
    def sop_instance(self) -> str:
        return uid(9, self.number)

    def pieces(self, syntax: str = uids.EXPLICIT_VR_LE) -> Iterator[bytes]:
        """The data set in Explicit or Implicit VR Little Endian."""
        size = self.frames * SIDE * SIDE * 2
        yield encoded(_header(self.number, self.sop_class, self.frames, 16), syntax)
        if syntax == uids.IMPLICIT_VR_LE:
            yield struct.pack("<HHL", 0x7FE0, 0x0010, size)
        else:
            yield struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, size)
        frame = _frame_of(SIDE * SIDE * 2)
        for number in range(self.frames):
            yield _numbered(frame, number)


@dataclass(frozen=True)
class Encapsulated:
    """An RLE instance of 8 bits, `frames` times 1 MiB of pixels, each in a fragment, with Extended Offset Table."""

    number: int
    frames: int
    sop_class = BYTE_CLASS
    syntax = uids.RLE_LOSSLESS

    @property
    def sop_instance(self) -> str:
        return uid(9, self.number)

    def pieces(self) -> Iterator[bytes]:
        """The data set as it is sent."""
        length = 64 + SIDE * SIDE // RUN * (RUN + 1)
        tables = (range(0, self.frames * (length + 8), length + 8), [length] * self.frames)
        yield encoded(_header(self.number, self.sop_class, self.frames, 8))
        for element, table in enumerate(tables, 1):
            yield struct.pack("<HH2sHL", 0x7FE0, element, b"OV", 0, 8 * self.frames)
            yield struct.pack(f"<{self.frames}Q", *table)
        yield struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF) + struct.pack("<HHL", 0xFFFE, 0xE000, 0)
        before = struct.pack("<HHL", 0xFFFE, 0xE000, length) + struct.pack("<2L", 1, 64) + bytes(56)
        frame = _frame_of(SIDE * SIDE)
        literal = bytes((RUN - 1,))
        rest = b"".join(literal + frame[at : at + RUN] for at in range(RUN, len(frame), RUN))
        for number in range(self.frames):
            yield before + literal + _numbered(frame[:RUN], number) + rest
        yield struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)

    def decompressed(self) -> Iterator[bytes]:
        """The pixels behind the header of Pixel Data, decoded."""
        frame = _frame_of(SIDE * SIDE)
        for number in range(self.frames):
            yield _numbered(frame, number)


Giant = Native | Encapsulated


def digest_of(pieces: Iterator[bytes]) -> bytes:
    """BLAKE3 of the pieces joined."""
    digest = blake3()
    for piece in pieces:
        digest.update(piece)
    return digest.digest()


async def send(port: int, calling: str, giant: Giant) -> int:
    """C-STORE it; the status."""
    contexts = propose_one([(giant.sop_class, (giant.syntax,))])
    association = await dial("127.0.0.1", port, association_request("LEADGLASS", calling, contexts))
    answer = await association.store(association.context_for(giant.sop_class), giant.sop_instance, giant.pieces())
    await association.release()
    return answer.status


@dataclass
class Fetched:
    """What a C-GET brought: status of the request, and the length and digests of the one data set that came."""

    status: int = -1
    length: int = 0
    whole: bytes = b""
    pixels: bytes = b""  # of what stands behind the header of Pixel Data, in Explicit VR Little Endian


async def fetch(port: int, calling: str, giant: Giant, syntax: str) -> Fetched:
    """C-GET it with only `syntax` offered."""
    fetched = Fetched()

    async def sink(command: Command, context: AcceptedContext, pieces: AsyncIterator[bytes]) -> int:
        whole, pixels, place = blake3(), blake3(), -1
        async for piece in pieces:
            whole.update(piece)
            fetched.length += len(piece)
            if place >= 0:
                pixels.update(piece)
            elif (place := piece.find(PIXEL_DATA)) >= 0:
                pixels.update(piece[place + 12 :])
        fetched.whole, fetched.pixels = whole.digest(), pixels.digest()
        return 0

    contexts = propose_one([(uids.PATIENT_ROOT_GET, NATIVE_SYNTAXES), (giant.sop_class, (syntax,))])
    request = association_request("LEADGLASS", calling, contexts, receives=[giant.sop_class])
    association = await dial("127.0.0.1", port, request)
    context = association.context_for(uids.PATIENT_ROOT_GET)
    identifier = image_identifier(giant.sop_instance, context.transfer_syntax)
    async with aclosing(association.get(context, identifier, sink)) as responses:
        async for response in responses:
            fetched.status = response.status
    await association.release()
    return fetched
