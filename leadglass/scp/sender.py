"""Sending to an enrolled device (core.ports.Sender): C-STORE as SCU, for C-MOVE and forwarding.

The stored syntax, Explicit LE and Implicit LE are offered in contexts of their own, so that the sender chooses per
instance; over several associations, one after the other, if more than 128 contexts are needed. All contexts of a SOP
class are in one of them.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Sequence

from leadglass.core.device import Device, Endpoint
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.ports import OpenedInstance, OutgoingDataSet, OutgoingSource, SubOperation
from leadglass.core.records import StoredInstance
from leadglass.dicom import uids
from leadglass.net.connection import PackedMessage
from leadglass.net.dialer import DialOptions
from leadglass.net.proposals import association_request, propose_whole
from leadglass.net.requestor import Requestor, dial
from leadglass.scp.statuses import RETRIEVE
from leadglass.wire.dimse import status
from leadglass.wire.dimse.failures import status_of
from leadglass.wire.ul.pdu import AcceptedContext, ProposedContext

ContextFor = Callable[[Device], ssl.SSLContext | None]


def offered(instances: Sequence[StoredInstance]) -> list[list[tuple[str, tuple[str, ...]]]]:
    """(SOP class, one transfer syntax) pairs for `instances`, by class: as stored, Explicit LE, Implicit LE."""
    syntaxes: dict[str, dict[str, None]] = {}
    for stored in instances:
        of_class = syntaxes.setdefault(stored.identity.sop_class_uid, {})
        of_class |= dict.fromkeys((stored.transfer_syntax_uid, uids.EXPLICIT_VR_LE, uids.IMPLICIT_VR_LE))
    return [[(sop_class, (syntax,)) for syntax in of_class] for sop_class, of_class in syntaxes.items()]


class DeviceSender:
    """Sends over net. `tls_for` gives the TLS context for a device that listens with TLS."""

    def __init__(self, own_title: str, tls_for: ContextFor) -> None:
        self._own_title = own_title
        self._tls_for = tls_for

    async def send(
        self,
        destination: Device,
        instances: Sequence[StoredInstance],
        source: OutgoingSource,
        *,
        originator: str = "",
        originator_message_id: int = 0,
    ) -> AsyncIterator[SubOperation]:
        """See core.ports.Sender."""
        endpoint = destination.listens
        if endpoint is None:
            raise LeadglassError(ErrorCode.DESTINATION_UNREACHABLE, "The device has no address to send to.")
        origin = (originator, originator_message_id) if originator else None
        for contexts in propose_whole(offered(instances)):
            classes = {context.abstract_syntax for context in contexts}
            batch = [stored for stored in instances if stored.identity.sop_class_uid in classes]
            peer = await self._dial(destination, endpoint, contexts)
            try:
                async for result in self._send_over(peer, batch, source, origin):
                    yield result
                await peer.release()
            finally:
                peer.abort()

    async def _dial(self, device: Device, endpoint: Endpoint, contexts: tuple[ProposedContext, ...]) -> Requestor:
        request = association_request(endpoint.ae_title, self._own_title, contexts)
        tls = self._tls_for(device) if endpoint.tls else None
        try:
            return await dial(endpoint.host, endpoint.port, request, DialOptions(ssl_context=tls))
        except LeadglassError as error:
            if error.code is ErrorCode.NOT_AUTHORISED:
                raise LeadglassError(ErrorCode.DESTINATION_UNREACHABLE, error.comment) from error
            raise

    @staticmethod
    async def _send_over(
        peer: Requestor, instances: Sequence[StoredInstance], source: OutgoingSource, origin: tuple[str, int] | None
    ) -> AsyncIterator[SubOperation]:
        contexts = {
            stored.identity.sop_class_uid: peer.contexts_for(stored.identity.sop_class_uid) for stored in instances
        }

        def accepted(stored: StoredInstance) -> list[str]:
            return [context.transfer_syntax for context in contexts[stored.identity.sop_class_uid]]

        def packed(item: OpenedInstance | None) -> PackedMessage | None:
            return None if item is None else _packed(peer, contexts[item.stored.identity.sop_class_uid], item, origin)

        opened = source.open_all(instances, accepted)
        number = 0
        try:
            item = await opened.next()
            message = packed(item)
            while item is not None and peer.connection.established:
                identity, following = item.stored.identity, None
                try:
                    if message is None:
                        code = await _store(peer, contexts[identity.sop_class_uid], item, origin)
                    else:
                        answer = peer.post(_context(contexts[identity.sop_class_uid], item), message)
                        following = opened.ready()  # made ready to leave while the peer stores this one
                        message = packed(following)
                        code = (await answer).status
                except LeadglassError as error:
                    code = status_of(error, RETRIEVE) if peer.connection.established else status.CANNOT_UNDERSTAND
                number += 1
                yield SubOperation(identity.sop_instance_uid, code)
                item = following
                if item is None:
                    item = await opened.next()
                    message = packed(item)
        finally:
            opened.close()
        for stored in instances[number:]:  # nothing more is read for a peer that is gone
            yield SubOperation(stored.identity.sop_instance_uid, status.CANNOT_UNDERSTAND)


def _context(contexts: Sequence[AcceptedContext], item: OpenedInstance) -> AcceptedContext:
    if isinstance(item.outgoing, LeadglassError):
        raise item.outgoing
    syntax = item.outgoing.transfer_syntax_uid
    return next(context for context in contexts if context.transfer_syntax == syntax)


def _packed(
    peer: Requestor, contexts: Sequence[AcceptedContext], item: OpenedInstance, origin: tuple[str, int] | None
) -> PackedMessage | None:
    """The whole request, if the instance can be sent and is in memory."""
    outgoing = item.outgoing
    if isinstance(outgoing, LeadglassError) or outgoing.rest is not None:
        return None
    uid = item.stored.identity.sop_instance_uid
    return peer.pack_store(_context(contexts, item), uid, outgoing.first, originator=origin)


async def _store(
    peer: Requestor, contexts: Sequence[AcceptedContext], item: OpenedInstance, origin: tuple[str, int] | None
) -> int:
    """Send an instance in pieces; raises what kept it here."""
    context, uid = _context(contexts, item), item.stored.identity.sop_instance_uid
    assert isinstance(item.outgoing, OutgoingDataSet)
    return (await peer.store(context, uid, item.outgoing.chunks(), originator=origin)).status
