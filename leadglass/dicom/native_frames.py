"""Cuts frames out of native pixel data by arithmetic (PS3.5 8.1.1, 8.2), as Explicit VR Little Endian has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from leadglass.core.limits import MAX_FRAME_BYTES
from leadglass.dicom.layout import InstanceLayout
from leadglass.dicom.refusal import broken
from leadglass.dicom.scan_encoding import to_little_endian
from leadglass.dicom.transfer_syntaxes import lookup

_WIDTHS: Final = {16: "US", 32: "UL", 64: "UV"}  # bits allocated: a VR of numbers as wide


@dataclass(frozen=True, slots=True)
class NativeFrames:
    """Where native frames lie. `frame_bits` may be no multiple of 8: frames of single bits follow one another."""

    value_offset: int
    frame_bits: int
    count: int
    bits_allocated: int
    little: bool
    words: bool

    @property
    def frame_length(self) -> int:
        """Bytes of one frame; single bits fill up the last."""
        return -(-self.frame_bits // 8)

    @property
    def as_stored(self) -> bool:
        """Whether a frame is what lies at its place, byte by byte."""
        return self.little and self.frame_bits % 8 == 0

    def place(self, number: int) -> tuple[int, int]:
        """Offset in the data set and length of the bytes that hold frame `number` (from 0)."""
        first, behind = number * self.frame_bits // 8, -(-(number + 1) * self.frame_bits // 8)
        if self._swapped:
            first, behind = first - first % 2, behind + behind % 2
        return self.value_offset + first, behind - first

    def frame(self, number: int, raw: bytes) -> bytes:
        """Frame `number` out of the bytes at its place."""
        if self.as_stored:
            return raw
        if not self.little:
            raw = self._turned(number, raw)
        if self.frame_bits % 8 == 0:
            return raw
        shift = number * self.frame_bits % 8  # the first pixel is the least significant bit (PS3.5 8.1.1)
        bits = (int.from_bytes(raw, "little") >> shift) & ((1 << self.frame_bits) - 1)
        return bits.to_bytes(self.frame_length, "little")

    @property
    def _swapped(self) -> bool:
        """Bytes in big endian words: those of a frame may begin in the middle of one."""
        return not self.little and self.words and self.bits_allocated <= 8

    def _turned(self, number: int, raw: bytes) -> bytes:
        if self._swapped:
            ahead = number * self.frame_bits // 8 % 2
            length = -(-(number + 1) * self.frame_bits // 8) - number * self.frame_bits // 8
            return to_little_endian("OW", raw)[ahead : ahead + length]
        width = _WIDTHS.get(self.bits_allocated)
        return raw if width is None else to_little_endian(width, raw)


def native_frames(layout: InstanceLayout) -> NativeFrames:
    """The frames of native pixel data. Raises CANNOT_CONVERT where what the image pixel module says is contradictory,
    over limits, or more than there is."""
    samples = layout.samples_per_pixel
    if layout.photometric_interpretation == "YBR_FULL_422":
        samples = 2  # two pixels share their colour (PS3.3 C.7.6.3.1.2)
    frame_bits = layout.rows * layout.columns * samples * layout.bits_allocated
    if not frame_bits or not layout.number_of_frames:
        raise broken("the image has no pixels")
    if frame_bits > 8 * MAX_FRAME_BYTES:
        raise broken("a frame is too large")
    if frame_bits * layout.number_of_frames > 8 * layout.value_length:
        raise broken("there are less pixel data than the header says")
    syntax = lookup(layout.transfer_syntax_uid)
    return NativeFrames(
        layout.value_offset,
        frame_bits,
        layout.number_of_frames,
        layout.bits_allocated,
        syntax is None or syntax.little_endian,
        layout.vr != "OB",
    )
