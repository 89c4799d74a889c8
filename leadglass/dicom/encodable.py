"""Native frames as an encoder takes them: whole bytes per sample, colour by pixel (PS3.5 8.2)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from leadglass.core.ports import PixelDescription
from leadglass.dicom.codestreams import frame_length
from leadglass.dicom.layout import InstanceLayout
from leadglass.dicom.refusal import broken

_HALVED: Final = frozenset({"YBR_FULL_422", "YBR_PARTIAL_422"})


class EncodableFrames:
    """The frames of one image on their way into another encoding. Raises CANNOT_CONVERT if it cannot be encoded."""

    def __init__(self, layout: InstanceLayout) -> None:
        described = layout.description()
        if described.bits_allocated > 16:
            raise broken("only pixels of 8 and 16 bits can be encoded")
        if not layout.encapsulated and described.photometric_interpretation in _HALVED:
            raise broken("native pixels with halved chrominance cannot be encoded")
        self._planes = not layout.encapsulated and described.samples_per_pixel == 3 and layout.planar_configuration == 1
        self.description: PixelDescription = replace(described, planar_configuration=0)

    def by_pixel(self, frame: bytes) -> bytes:
        """A native little-endian frame, colour by pixel. CANNOT_CONVERT if it has another length."""
        if len(frame) != frame_length(self.description):
            raise broken("a frame has another size than the header says")
        if not self._planes:
            return frame
        size, plane = self.description.bits_allocated // 8, len(frame) // 3
        out = bytearray(len(frame))
        for sample in range(3):
            for place in range(size):
                out[sample * size + place :: 3 * size] = frame[sample * plane + place : (sample + 1) * plane : size]
        return bytes(out)
