"""Binary numbers of a value as decimal text and back (PS3.5 6.2). Little endian."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from leadglass.core.errors import ErrorCode, LeadglassError

_FORMATS: Final = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}
NUMBER_VRS: Final = frozenset(_FORMATS) | {"AT"}


def _float32_text(value: float) -> str:
    """The shortest decimal text that is this 32-bit number again."""
    packed = struct.pack("<f", value)
    for digits in (6, 7, 8):
        text = f"{value:.{digits}g}"
        if abs(float(text)) < 3.4e38 and struct.pack("<f", float(text)) == packed:
            return text
    return f"{value:.9g}"


def read_numbers(vr: str, raw: bytes) -> tuple[str, ...]:
    """The numbers in `raw`; AT as eight hex digits. A ragged end is left out."""
    if vr == "AT":
        words = struct.unpack_from(f"<{len(raw) // 4 * 2}H", raw)
        return tuple(f"{group:04X}{element:04X}" for group, element in zip(words[::2], words[1::2], strict=True))
    code = _FORMATS[vr]
    count = len(raw) // struct.calcsize("<" + code)
    values = struct.unpack_from(f"<{count}{code}", raw)
    if vr == "FL":
        return tuple(map(_float32_text, values))
    return tuple(map(repr, values)) if vr == "FD" else tuple(map(str, values))


def write_numbers(vr: str, values: Sequence[str]) -> bytes:
    """`values` in binary. Raises LeadglassError CANNOT_CONVERT if one is no number of that VR."""
    try:
        if vr == "AT":
            return b"".join(struct.pack("<HH", int(v, 16) >> 16, int(v, 16) & 0xFFFF) for v in values)
        number = float if vr in ("FL", "FD") else int
        return struct.pack(f"<{len(values)}{_FORMATS[vr]}", *map(number, values))
    except (ValueError, OverflowError, struct.error):
        raise LeadglassError(ErrorCode.CANNOT_CONVERT, "A number does not fit its attribute") from None
