"""Cuts the peer's bytes into PDUs, with few copies and few objects.

P-DATA-TF is never gathered: its values are handed on as views of the receive buffer while they arrive, so the buffer
may be smaller than a PDU and memory does not depend on what a peer announces. Other PDUs are gathered as their bytes
come, after their announced length was found possible. Only headers cut by the end of a read (under 12 bytes) are ever
moved.
"""

from __future__ import annotations

import struct
from enum import Enum
from typing import TypeAlias

from leadglass.core import limits
from leadglass.wire.ul.codec import PDU_HEADER, check_length, decode
from leadglass.wire.ul.events import DataReceived
from leadglass.wire.ul.fields import InvalidPduError
from leadglass.wire.ul.pdu import Pdu, PduType

SMALL_BUFFER = 4 * limits.KIB  # before an association: most requests fit, and strangers cost little
LARGE_BUFFER = limits.MAX_PDU_LENGTH + 1 * limits.KIB  # a largest PDU with headers in one read
_PDV_HEADER = struct.Struct(">IBB")  # item length, context identifier, control header (PS3.8 9.3.5.1, E.2)
_COMMAND, _LAST = 0x01, 0x02
_PDV_OVERHEAD = 2  # the item length counts identifier and control header


class Mark(Enum):
    """Results of `PduReader.next` that carry nothing."""

    NEED_DATA = "need data"
    P_DATA = "p-data"  # a P-DATA-TF begins; its pieces follow


Item: TypeAlias = Pdu | DataReceived | Mark


class PduReader:
    """Feed it by `get_buffer`/`received` or `feed`, then call `next` until NEED_DATA."""

    def __init__(self) -> None:
        self.max_p_data = limits.MAX_PDU_LENGTH  # what we offered; a longer P-DATA-TF is refused
        self.completed = 0  # whole PDUs so far
        self._own = memoryview(bytearray(SMALL_BUFFER))
        self._view = self._own  # where unread bytes lie: `_own`, or what was fed
        self._start = 0
        self._end = 0
        self._body = bytearray()  # of a PDU other than P-DATA-TF
        self._type = 0  # of the PDU being read, 0 between PDUs
        self._pdu_left = 0
        self._pdv_left = 0
        self._context = 0
        self._flags = 0

    @property
    def inside_pdu(self) -> bool:
        """Whether a PDU has begun, by at least one byte, and not ended."""
        return self._type != 0 or self._end > self._start

    def use_large_buffer(self) -> None:
        """Read as much at once as the largest PDU. Takes effect with the next `get_buffer`."""
        if len(self._own) < LARGE_BUFFER:
            self._own = memoryview(bytearray(LARGE_BUFFER))

    def get_buffer(self) -> memoryview:
        """Room for the next bytes, never empty. Views handed out before lose their content."""
        rest = self._view[self._start : self._end]
        length = len(rest)
        if length:
            self._own[:length] = bytes(rest)
        self._view, self._start, self._end = self._own, 0, length
        return self._own[length:]

    def received(self, count: int) -> None:
        """`count` bytes were written into the buffer that `get_buffer` gave."""
        self._end += count

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes that lie elsewhere (copied)."""
        self._view = memoryview(bytes(self._view[self._start : self._end]) + bytes(data))
        self._start, self._end = 0, len(self._view)

    def discard(self) -> None:
        """Forget unread bytes: nothing of this stream will be looked at again."""
        self._start = self._end
        self._body = bytearray()

    def next(self) -> Item:
        """The next item, or NEED_DATA. Raises InvalidPduError; the stream is then unreadable for good."""
        if self._pdv_left:
            return self._piece()
        if self._type == 0:
            return self._begin_pdu()
        if self._type == PduType.P_DATA_TF:
            return self._begin_pdv()
        return self._gather()

    def _begin_pdu(self) -> Item:
        available = self._end - self._start
        if available < PDU_HEADER.size:
            if available and not PduType.ASSOCIATE_RQ <= self._view[self._start] <= PduType.ABORT:
                raise InvalidPduError("unrecognised PDU type")  # no need to wait for the rest of an HTTP request
            return Mark.NEED_DATA
        pdu_type, length = PDU_HEADER.unpack_from(self._view, self._start)
        refusal = check_length(pdu_type, length, self.max_p_data)
        if refusal:
            raise InvalidPduError(refusal)
        self._start += PDU_HEADER.size
        self._type, self._pdu_left = pdu_type, length
        if pdu_type == PduType.P_DATA_TF:
            return Mark.P_DATA
        return self._gather()

    def _begin_pdv(self) -> Item:
        while True:
            if self._end - self._start < _PDV_HEADER.size:
                if self._pdu_left < _PDV_HEADER.size:
                    raise InvalidPduError("a presentation data value is cut short")
                return Mark.NEED_DATA
            length, self._context, self._flags = _PDV_HEADER.unpack_from(self._view, self._start)
            if not _PDV_OVERHEAD <= length <= self._pdu_left - 4:
                raise InvalidPduError("a presentation data value has an impossible length")
            self._start += _PDV_HEADER.size
            self._pdu_left -= _PDV_HEADER.size
            self._pdv_left = length - _PDV_OVERHEAD
            if self._pdv_left:
                return self._piece()
            last = bool(self._flags & _LAST)
            self._end_if_done()
            if last:  # an empty last fragment ends a message; an empty other one means nothing and is passed over
                return DataReceived(self._context, bool(self._flags & _COMMAND), True, self._view[:0])
            if self._type == 0:
                return self._begin_pdu()

    def _piece(self) -> Item:
        """As much of the current PDV as is there."""
        start = self._start
        count = min(self._end - start, self._pdv_left)
        if count == 0:
            return Mark.NEED_DATA
        self._start = stop = start + count
        self._pdv_left -= count
        self._pdu_left -= count
        flags = self._flags
        if self._pdv_left:
            return DataReceived(self._context, bool(flags & _COMMAND), False, self._view[start:stop])
        self._end_if_done()
        return DataReceived(self._context, bool(flags & _COMMAND), bool(flags & _LAST), self._view[start:stop])

    def _end_if_done(self) -> None:
        if self._pdu_left == 0:
            self._type = 0
            self.completed += 1

    def _gather(self) -> Item:
        count = min(self._end - self._start, self._pdu_left)
        self._body += self._view[self._start : self._start + count]
        self._start += count
        self._pdu_left -= count
        if self._pdu_left:
            return Mark.NEED_DATA
        pdu_type, body = self._type, self._body
        self._type, self._body = 0, bytearray()
        self.completed += 1
        return decode(pdu_type, memoryview(body))
