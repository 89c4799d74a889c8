"""A served archive for the tests of the DICOM door, peers in good order, and raw ones that may misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import struct
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from archives import Server, device, free_port, make, opened, served, sink

from leadglass.app.cli.opening import operator
from leadglass.core.attributes import Attribute
from leadglass.core.device import DuplicatePolicy, Endpoint
from leadglass.core.principal import Right
from leadglass.dicom import uids
from leadglass.dicom.values import read_attributes, write_attributes
from leadglass.net.proposals import association_request, propose_one
from leadglass.net.requestor import Requestor, Response, dial
from leadglass.wire.dimse.commands import Command, c_store_rq, decode_command, encode_command
from leadglass.wire.dimse.messages import message_pdus
from leadglass.wire.ul.codec import decode, encode
from leadglass.wire.ul.pdu import AssociateRQ, Pdu, RoleSelection

CT, EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", uids.EXPLICIT_VR_LE
PATIENCE = 20.0  # seconds after which a test fails rather than hangs; nothing is measured
LONG = {"OB", "OW", "UN", "SQ", "UT"}
QUERIES = (uids.PATIENT_ROOT_FIND, uids.STUDY_ROOT_FIND, uids.STUDY_ROOT_MOVE, uids.STUDY_ROOT_GET)
_numbers = itertools.count(1)


def el(tag: int, vr: str, value: bytes, length: int | None = None) -> bytes:
    """An element in Explicit VR Little Endian; `length` may lie."""
    size = len(value) if length is None else length
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    return head + (struct.pack("<HI", 0, size) if vr in LONG else struct.pack("<H", size)) + value


def uid_bytes(uid: str) -> bytes:
    raw = uid.encode()
    return raw + b"\0" * (len(raw) & 1)


class Image:
    """A small CT object whose parts a test may replace or leave out (None)."""

    def __init__(self, **changes: object) -> None:
        number = next(_numbers)
        self.uid = f"1.2.826.0.1.99.{number}"
        self.study = f"1.2.826.0.1.98.{number}"
        self.series = f"1.2.826.0.1.97.{number}"
        self.sop_class: str | None = CT
        self.inner_uid: str | None = None  # SOP Instance UID inside, where it is not the announced one
        self.patient_id, self.name = f"P{number}", "Doe^Jane"
        self.tail, self.pixels = b"", b"\1\2" * 64
        for name, value in changes.items():
            assert hasattr(self, name)
            setattr(self, name, value)

    def data(self) -> bytes:
        inside = self.uid if self.inner_uid is None else self.inner_uid
        parts = [
            el(0x00080016, "UI", uid_bytes(self.sop_class)) if self.sop_class is not None else b"",
            el(0x00080018, "UI", uid_bytes(inside)) if inside != "-" else b"",
            el(0x00080060, "CS", b"CT"),
            el(0x00100010, "PN", uid_bytes(self.name)),
            el(0x00100020, "LO", uid_bytes(self.patient_id)),
            el(0x0020000D, "UI", uid_bytes(self.study)) if self.study != "-" else b"",
            el(0x0020000E, "UI", uid_bytes(self.series)) if self.series != "-" else b"",
            self.tail,
            el(0x7FE00010, "OW", self.pixels),
        ]
        return b"".join(parts)


class Caller:
    """A peer in good order."""

    def __init__(self, peer: Requestor) -> None:
        self.peer = peer

    async def store(self, image: Image, data: bytes | None = None) -> Response:
        return await self.peer.store(self.peer.context_for(CT), image.uid, image.data() if data is None else data)

    async def stored(self, *images: Image) -> None:
        for image in images:
            assert (await self.store(image)).status == 0

    async def ask(self, level: str, keys: dict[int, Attribute], model: str = uids.STUDY_ROOT_FIND) -> list[Response]:
        return [answer async for answer in self.peer.find(self.peer.context_for(model), identifier(level, keys))]

    async def matches(self, level: str, keys: dict[int, Attribute], model: str = uids.STUDY_ROOT_FIND) -> list:
        """The answers of a query that ends well."""
        answers = await self.ask(level, keys, model)
        assert answers[-1].status == 0
        return [read_attributes(answer.data, EXPLICIT) for answer in answers[:-1]]

    async def move(self, destination: str, study: str, level: str = "STUDY") -> list[Response]:
        context = self.peer.context_for(uids.STUDY_ROOT_MOVE)
        what = identifier(level, {0x0020000D: Attribute("UI", (study,))})
        return [answer async for answer in self.peer.move(context, what, destination)]

    async def still_works(self) -> None:
        """The association is usable: a store and a query of what was stored."""
        image = Image()
        await self.stored(image)
        found = await self.matches("STUDY", {0x0020000D: Attribute("UI", (image.study,))})
        assert len(found) == 1


def identifier(level: str, keys: dict[int, Attribute], character_set: str = "") -> bytes:
    attributes = {0x00080052: Attribute("CS", (level,)), **keys}
    return write_attributes(dict(sorted(attributes.items())), EXPLICIT, character_set)


class Raw:
    """A peer that sends whatever a test likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, raw: bytes) -> None:
        self.writer.write(raw)
        with contextlib.suppress(ConnectionError):
            await self.writer.drain()

    async def read(self) -> tuple[int, bytes]:
        """Type and body of the next PDU."""
        async with asyncio.timeout(PATIENCE):
            header = await self.reader.readexactly(6)
            return header[0], await self.reader.readexactly(int.from_bytes(header[2:], "big"))

    async def pdu(self) -> Pdu:
        kind, body = await self.read()
        return decode(kind, memoryview(body))

    async def response(self) -> Command:
        kind, body = await self.read()
        assert kind == 4, f"PDU of type {kind}, where an answer is due"
        return decode_command(body[6:])

    async def cut_off(self) -> bool:
        """Whether the next word is an A-ABORT or the end of the connection (after an abort the peer is to close)."""
        try:
            return (await self.read())[0] == 7
        except (asyncio.IncompleteReadError, ConnectionError):
            return True

    def reset(self) -> None:
        """TCP RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(1, 13, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


def request(calling: str = "WS", called: str = "LEADGLASS", classes: Sequence[str] = (CT, *QUERIES)) -> AssociateRQ:
    pairs = [(uids.VERIFICATION, (EXPLICIT, uids.IMPLICIT_VR_LE)), *((uid, (EXPLICIT,)) for uid in classes)]
    asked = association_request(called, calling, propose_one(pairs))
    return replace(asked, user=replace(asked.user, roles=(RoleSelection(CT, scu=True, scp=True),)))


def message(context_id: int, command: Command, data: bytes | None = None, max_pdu: int = 16384) -> bytes:
    pieces = None if data is None else (data,)
    return b"".join(message_pdus(context_id, encode_command(command), pieces, max_pdu))


class Door:
    """The served archive, and ways to it."""

    Image, Caller, Raw, CT = Image, Caller, Raw, CT
    el, identifier = staticmethod(el), staticmethod(identifier)
    message, request = staticmethod(message), staticmethod(request)
    STORE_CONTEXT, FIND_CONTEXT, ECHO_CONTEXT = 3, 7, 1  # as `request` numbers them

    def __init__(self, server: Server, sink_port: int, deaf_port: int) -> None:
        self.server, self.sink_port, self.deaf_port = server, sink_port, deaf_port

    @contextlib.asynccontextmanager
    async def caller(self, title: str = "WS", patience: float = PATIENCE) -> AsyncIterator[Caller]:
        async with asyncio.timeout(patience):
            peer = await dial("127.0.0.1", self.server.port, request(title))
            try:
                yield Caller(peer)
                await peer.release()
            finally:
                peer.abort()

    @contextlib.asynccontextmanager
    async def raw(self) -> AsyncIterator[Raw]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        try:
            yield Raw(reader, writer)
        finally:
            writer.transport.abort()

    @contextlib.asynccontextmanager
    async def associated(self, title: str = "WS") -> AsyncIterator[Raw]:
        """A raw peer whose association was accepted."""
        async with self.raw() as peer:
            await peer.send(encode(request(title)))
            assert (await peer.read())[0] == 2
            yield peer

    @staticmethod
    def store_command(image: Image, sop_class: str) -> Command:
        return c_store_rq(77, sop_class, image.uid)

    @staticmethod
    def store_message(image: Image, data: bytes | None, message_id: int = 1, max_pdu: int = 16384) -> bytes:
        return message(Door.STORE_CONTEXT, c_store_rq(message_id, CT, image.uid), data, max_pdu)

    @staticmethod
    def store_without_data(image: Image) -> bytes:
        """A C-STORE request that says it has no data set."""
        asked = c_store_rq(1, CT, image.uid)
        return message(Door.STORE_CONTEXT, Command(asked.field, {**asked.elements, 0x0800: 0x0101}))

    async def serves(self) -> None:
        """Another device is served as if nothing were."""
        async with self.caller("CT") as caller:
            assert await caller.peer.echo() == 0
            await caller.stored(Image())

    async def visible(self, **keys: str) -> int:
        """How many instances have these unique keys: study, series, instance."""
        tags = {"study": 0x0020000D, "series": 0x0020000E, "instance": 0x00080018}
        asked = {tags[name]: Attribute("UI", (value,)) for name, value in keys.items()}
        async with self.caller() as caller:
            return len(await caller.matches("IMAGE", asked))

    def change(self, name: str, *, enabled: bool) -> None:
        """Disable or enable a device while the server runs, as the command line does."""
        with opened(self.server.home) as archive:
            archive.devices.enable(operator(), name, enabled=enabled)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """An archive in a process of its own. WS may do everything, CT stores, EYE finds; SINK, DEAF and GONE receive."""
    folder: Path = tmp_path_factory.mktemp("door")
    sink_port, deaf_port = free_port(), free_port()
    everywhere = ("sink", "deaf", "gone")
    devices = [
        device("ws", destinations=everywhere),
        device("narrow", query_limit=3),
        device("ct", rights=frozenset({Right.ECHO, Right.STORE})),
        device("eye", rights=frozenset({Right.FIND})),
        device("strict", duplicates=DuplicatePolicy.REFUSE),
        device("lost"),
        device("few", max_associations=2),
        device("brief", idle_timeout=1.0),
        sink("sink", sink_port),
        sink("deaf", deaf_port),
        sink("gone", free_port()),
        device("private", listens=Endpoint("127.0.0.1", sink_port, "PRIVATE", tls=False)),
    ]
    home = make(folder, devices)
    with served(home) as server:
        yield Door(server, sink_port, deaf_port)
