"""Messages from and to presentation data values (PS3.7 6.3, PS3.8 annex E).

In: `MessageAssembler` gathers command sets (bounded) and lets data sets pass as they come, never gathering them. Every
check stands before the bytes it guards are used. Out: whole messages become one list of buffers for one send; data is
sliced by memoryview into fragments that fill a PDU and have even lengths, which some toolkits insist on.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import NamedTuple

from leadglass.core.limits import MAX_COMMAND_SET_LENGTH, MAX_IDENTIFIER_LENGTH, MAX_PDU_LENGTH
from leadglass.wire.dimse.command import Command, CommandField, decode_command
from leadglass.wire.dimse.elements import violation
from leadglass.wire.ul.events import DataReceived
from leadglass.wire.ul.pdata import COMMAND, LAST, PDV_HEADER_LENGTH, Buffer, p_data_header


class CommandReceived(NamedTuple):
    """A whole command set. If `command.has_data_set`, fragments follow until their `last`."""

    context_id: int
    command: Command


class DataSetFragment(NamedTuple):
    """A piece of the data set of the command before; `data` may be empty, and is valid until the next read."""

    context_id: int
    data: memoryview
    last: bool


class MessageAssembler:
    """Makes messages of one association from its data values.

    `contexts` are the identifiers of accepted presentation contexts, for drivers that do not check them themselves.
    """

    def __init__(self, contexts: Container[int] | None = None) -> None:
        self._contexts = contexts
        self._command = bytearray()  # fragments of a command that has not ended
        self._context_id: int | None = None  # of the message under way, None between messages
        self._in_data_set = False
        self._room = 0  # bytes the data set may still have; below zero: without bound (storage)

    @property
    def idle(self) -> bool:
        """Whether no message is under way: only then may a peer release in good order."""
        return self._context_id is None

    def feed(self, event: DataReceived) -> CommandReceived | DataSetFragment | None:
        """Take a piece of a data value; None while a command set is incomplete.

        UNPARSABLE, after which the association is to be aborted and nothing more fed: a context that was not accepted
        or not that of the message under way, a data set without command or without being announced, a command where a
        data set is due, a command set over MAX_COMMAND_SET_LENGTH or not decodable, a data set over
        MAX_IDENTIFIER_LENGTH for anything but C-STORE.
        """
        context_id, is_command, is_last, data = event
        if context_id != self._context_id:
            self._begin(context_id)
        if is_command:
            return self._take_command(context_id, is_last, data)
        if not self._in_data_set:
            raise violation("A data set came where a command is due.")
        if self._room >= 0:
            self._room -= len(data)
            if self._room < 0:
                raise violation("The data set of this message is too long.")
        if is_last:
            self._in_data_set = False
            self._context_id = None
        return DataSetFragment(context_id, data, is_last)

    def _begin(self, context_id: int) -> None:
        if self._context_id is not None:
            raise violation("A message changed its presentation context.")
        if self._contexts is not None and context_id not in self._contexts:
            raise violation("A message came for a presentation context that was not accepted.")
        self._context_id = context_id

    def _take_command(self, context_id: int, is_last: bool, data: memoryview) -> CommandReceived | None:
        if self._in_data_set:
            raise violation("A command came where a data set is due.")
        gathered = self._command
        if len(gathered) + len(data) > MAX_COMMAND_SET_LENGTH:
            raise violation("The command set is too long.")
        if not is_last:
            gathered += data
            return None
        raw = bytes(gathered) + data if gathered else bytes(data)
        gathered.clear()
        command = decode_command(raw)
        received = CommandReceived(context_id, command)
        if command.has_data_set:
            self._in_data_set = True
            self._room = -1 if command.field is CommandField.C_STORE_RQ else MAX_IDENTIFIER_LENGTH
        else:
            self._context_id = None
        return received


def _room(max_pdu: int) -> int:
    """Data bytes in a PDU of the announced length `max_pdu` (0: without bound), even."""
    return (min(max_pdu or MAX_PDU_LENGTH, MAX_PDU_LENGTH) - PDV_HEADER_LENGTH) & ~1


def command_pdus(context_id: int, command: bytes, max_pdu: int) -> list[Buffer]:
    """The P-DATA-TF of an encoded command set; one buffer when it fits into one PDU, as it all but always does."""
    room = _room(max_pdu)
    if len(command) <= room:
        return [p_data_header(context_id, COMMAND | LAST, len(command)) + command]
    packer = FragmentPacker(context_id, max_pdu, flags=COMMAND)
    return [*packer.push(command), *packer.finish()]


class FragmentPacker:
    """Packs a data set that comes in chunks of any size into P-DATA-TF, keeping at most one PDU's worth back.

    The chunks are not copied: they must stay as they are until what holds them is sent. `max_pdu` is the length the
    peer announced, at least 8, or 0 for no bound; UNPARSABLE when it leaves no room.
    """

    def __init__(self, context_id: int, max_pdu: int, *, flags: int = 0) -> None:
        self._context_id = context_id
        self._flags = flags
        self._room = _room(max_pdu)
        if self._room < 2:
            raise violation("The peer's maximum PDU length leaves no room for data.")
        self._full_header = p_data_header(context_id, flags, self._room)
        self._held: list[memoryview] = []
        self._held_length = 0

    def push(self, chunk: Buffer) -> list[Buffer]:
        """Take a chunk; the buffers of the PDUs that are full and surely not the last."""
        out: list[Buffer] = []
        view = memoryview(chunk)
        start, end, room = 0, len(view), self._room
        while self._held_length + end - start > room:
            stop = start + room - self._held_length
            out.append(self._full_header)
            if self._held:
                out += self._held
                self._held, self._held_length = [], 0
            out.append(view[start:stop])
            start = stop
        if start < end:
            self._held.append(view[start:])
            self._held_length += end - start
        return out

    def finish(self) -> list[Buffer]:
        """The buffers of the last PDU; without any data, one with an empty value."""
        out: list[Buffer] = [p_data_header(self._context_id, self._flags | LAST, self._held_length), *self._held]
        self._held, self._held_length = [], 0
        return out


def message_pdus(context_id: int, command: bytes | None, data: Iterable[Buffer] | None, max_pdu: int) -> list[Buffer]:
    """The buffers of a message that is in memory, for one send.

    `command` None: the rest of a message whose command was sent before. `data` None: no data set; empty: an empty one.
    """
    out: list[Buffer] = command_pdus(context_id, command, max_pdu) if command is not None else []
    if data is not None:
        packer = FragmentPacker(context_id, max_pdu)
        for chunk in data:
            out += packer.push(chunk)
        out += packer.finish()
    return out
