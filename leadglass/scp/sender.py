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
from leadglass.core.ports import OpenedInstance, OutgoingSource, SubOperation
from leadglass.core.records import StoredInstance
from leadglass.dicom import uids
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

        opened = source.open_all(instances, accepted)
        try:
            number = 0
            while peer.connection.established and (item := await opened.next()) is not None:
                identity = item.stored.identity
                code = await _store(peer, contexts[identity.sop_class_uid], item, origin)
                number += 1
                yield SubOperation(identity.sop_instance_uid, code)
        finally:
            opened.close()
        for stored in instances[number:]:  # nothing more is read for a peer that is gone
            yield SubOperation(stored.identity.sop_instance_uid, status.CANNOT_UNDERSTAND)


async def _store(
    peer: Requestor, contexts: Sequence[AcceptedContext], item: OpenedInstance, origin: tuple[str, int] | None
) -> int:
    """Send one instance; the status of its C-STORE, or of what kept it here."""
    outgoing, uid = item.outgoing, item.stored.identity.sop_instance_uid
    if isinstance(outgoing, LeadglassError):
        return status_of(outgoing, RETRIEVE)
    context = next(context for context in contexts if context.transfer_syntax == outgoing.transfer_syntax_uid)
    try:
        if outgoing.rest is None:
            answer = await peer.store_packed(context, peer.pack_store(context, uid, outgoing.first, originator=origin))
        else:
            answer = await peer.store(context, uid, outgoing.chunks(), originator=origin)
    except LeadglassError as error:
        if not peer.connection.established:
            return status.CANNOT_UNDERSTAND
        return status_of(error, RETRIEVE)
    return answer.status
