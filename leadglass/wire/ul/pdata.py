"""P-DATA-TF on its way out (PS3.8 9.3.5): a 12-byte header before each piece, the data itself never copied."""

from __future__ import annotations

import struct
from typing import TypeAlias

from leadglass.wire.ul.pdu import PduType

Buffer: TypeAlias = bytes | bytearray | memoryview

PDV_HEADER_LENGTH = 6  # what a PDU's announced length counts before the data
COMMAND, LAST = 0x01, 0x02  # message control header (PS3.8 E.2)
_HEADER = struct.Struct(">BxIIBB")


def p_data_header(context_id: int, flags: int, length: int) -> bytes:
    """PDU and PDV header for a P-DATA-TF that holds one PDV of `length` data bytes."""
    return _HEADER.pack(PduType.P_DATA_TF, length + PDV_HEADER_LENGTH, length + 2, context_id, flags)
