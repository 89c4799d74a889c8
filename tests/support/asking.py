"""The archive's own requestor, for tests: stores data sets exactly as their bytes are, and fetches them as stored."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from typing import NamedTuple

from leadglass.core.attributes import Attribute
from leadglass.core.errors import LeadglassError
from leadglass.dicom import uids
from leadglass.dicom.values import write_attributes
from leadglass.net.proposals import NATIVE_SYNTAXES, association_request, propose
from leadglass.net.requestor import Requestor, dial
from leadglass.wire.dimse.commands import Command
from leadglass.wire.ul.pdu import AcceptedContext

Pair = tuple[str, tuple[str, ...]]


class Given(NamedTuple):
    """An instance as it is sent, or as it came back."""

    sop_class: str
    sop_instance: str
    syntax: str
    data: bytes


class Answer(NamedTuple):
    """The status of a store and its comment; status -1 if it could not be asked for."""

    status: int
    comment: str


class Asker:
    """Asks an archive on loopback for services, under one calling title."""

    def __init__(self, port: int, calling: str, called: str = "LEADGLASS") -> None:
        self.port = port
        self.calling = calling
        self.called = called

    async def store(self, instances: Sequence[Given]) -> list[Answer]:
        """C-STORE each in its own transfer syntax."""
        answers: dict[int, Answer] = {}
        pairs = dict.fromkeys((item.sop_class, (item.syntax,)) for item in instances)
        for contexts in propose(pairs):
            here = {(context.abstract_syntax, context.transfer_syntaxes) for context in contexts}
            association = await self._dial(association_request(self.called, self.calling, contexts))
            for number, item in enumerate(instances):
                if (item.sop_class, (item.syntax,)) in here:
                    answers[number] = await _store(association, item)
            await association.release()
        return [answers[number] for number in range(len(instances))]

    async def get(self, wanted: Iterable[Given]) -> dict[str, Given]:
        """C-GET each at IMAGE level, with only its transfer syntax offered; what came, by SOP Instance UID."""
        came: dict[str, Given] = {}

        async def sink(command: Command, context: AcceptedContext, pieces: AsyncIterator[bytes]) -> int:
            data = b"".join([piece async for piece in pieces])
            instance = command.affected_sop_instance_uid or ""
            came[instance] = Given(command.affected_sop_class_uid or "", instance, context.transfer_syntax, data)
            return 0

        instances = list(wanted)
        pairs = list(dict.fromkeys((item.sop_class, (item.syntax,)) for item in instances))
        for start in range(0, len(pairs), 100):
            batch = pairs[start : start + 100]
            contexts = propose([(uids.PATIENT_ROOT_GET, NATIVE_SYNTAXES), *batch])[0]
            request = association_request(self.called, self.calling, contexts, receives=[pair[0] for pair in batch])
            association = await self._dial(request)
            context = association.context_for(uids.PATIENT_ROOT_GET)
            for item in instances:
                if (item.sop_class, (item.syntax,)) in batch:
                    identifier = image_identifier(item.sop_instance, context.transfer_syntax)
                    async with aclosing(association.get(context, identifier, sink)) as responses:
                        async for _ in responses:
                            pass
            await association.release()
        return came

    async def _dial(self, request: object) -> Requestor:
        return await dial("127.0.0.1", self.port, request)  # type: ignore[arg-type]


async def _store(association: Requestor, item: Given) -> Answer:
    try:
        context = association.context_for(item.sop_class, (item.syntax,))
        response = await association.store(context, item.sop_instance, item.data)
    except LeadglassError as error:
        return Answer(-1, error.comment)
    return Answer(response.status, response.command.error_comment or "")


def image_identifier(sop_instance: str, syntax: str) -> bytes:
    """A C-GET or C-MOVE identifier for one instance."""
    keys = {0x00080018: Attribute("UI", (sop_instance,)), 0x00080052: Attribute("CS", ("IMAGE",))}
    return write_attributes(keys, syntax, "")
