"""A recording tap between a peer and an archive on loopback: what the peer really put on the wire, read on its own.

The reader knows no code of the archive: PDUs by PS3.8 9.3, command sets by pydicom.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import struct
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

from asking import Given
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

STORE_RQ, STORE_RSP = 0x0001, 0x8001
ASSOCIATE_RQ, ASSOCIATE_AC, P_DATA_TF = 1, 2, 4


@dataclass
class Talk:
    """Both directions of one connection."""

    there: bytearray = field(default_factory=bytearray)
    back: bytearray = field(default_factory=bytearray)

    def stores(self) -> Iterator[tuple[Given, int]]:
        """Each instance that was sent, and the status it was answered with."""
        offered, accepted = dict(_contexts(self.there)), dict(_contexts(self.back))
        answers = {
            command.MessageIDBeingRespondedTo: command.Status
            for _, command, _ in _messages(self.back)
            if command.CommandField == STORE_RSP
        }
        for context, command, data in _messages(self.there):
            if command.CommandField == STORE_RQ:
                syntax = accepted[context][-1]
                assert syntax in offered[context]
                given = Given(str(command.AffectedSOPClassUID), str(command.AffectedSOPInstanceUID), syntax, data)
                yield given, answers[command.MessageID]


def _pdus(stream: bytes | bytearray) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(stream):
        kind, _, length = struct.unpack_from(">BBI", stream, at)
        yield kind, bytes(stream[at + 6 : at + 6 + length])
        at += 6 + length


def _items(content: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    while at < len(content):
        kind, _, length = struct.unpack_from(">BBH", content, at)
        yield kind, content[at + 4 : at + 4 + length]
        at += 4 + length


def _contexts(stream: bytes | bytearray) -> Iterator[tuple[int, list[str]]]:
    """Presentation contexts by number with their transfer syntaxes, of a request or acceptance (PS3.8 9.3.2, 9.3.3)."""
    for kind, content in _pdus(stream):
        if kind in (ASSOCIATE_RQ, ASSOCIATE_AC):
            for item, body in _items(content, 68):
                if item in (0x20, 0x21):
                    syntaxes = [text.decode().rstrip("\0") for sub, text in _items(body, 4) if sub == 0x40]
                    yield body[0], syntaxes


def _messages(stream: bytes | bytearray) -> Iterator[tuple[int, Dataset, bytes]]:
    """Each command with its context and data set, put together from PDVs (PS3.8 annex E)."""
    command, parts = None, {True: b"", False: b""}
    for kind, content in _pdus(stream):
        at = 0
        while kind == P_DATA_TF and at < len(content):
            (length,) = struct.unpack_from(">I", content, at)
            context, flags = content[at + 4], content[at + 5]
            is_command, last = bool(flags & 1), bool(flags & 2)
            parts[is_command] += content[at + 6 : at + 4 + length]
            at += 4 + length
            if last and is_command:
                command = read_dataset(io.BytesIO(parts[True]), True, True)
                parts[True] = b""
            if last and command is not None and (not is_command or command.CommandDataSetType == 0x0101):
                yield context, command, parts[False]
                command, parts[False] = None, b""


@contextlib.asynccontextmanager
async def tapped(port: int) -> AsyncIterator[tuple[int, list[Talk]]]:
    """Connections to the port that this yields go on to `port`, and are kept."""
    talks: list[Talk] = []

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(65536):
                kept += piece
                writer.write(piece)
                await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = Talk()
        talks.append(talk)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pour(reader, far_writer, talk.there), pour(far_reader, writer, talk.back))
        far_writer.close()
        writer.close()

    server = await asyncio.start_server(forward, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], talks
    finally:
        server.close()
