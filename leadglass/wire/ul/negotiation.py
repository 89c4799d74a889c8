"""What a request and its answer amount to: accepted contexts with roles, and PDU lengths (PS3.7 D.3.3, PS3.8 D.1)."""

from __future__ import annotations

from collections.abc import Mapping

from leadglass.core.limits import MAX_PDU_LENGTH
from leadglass.wire.ul.pdu import AcceptedContext, AssociateAC, AssociateRQ, ContextReason


def accepted_contexts(request: AssociateRQ, answer: AssociateAC, *, requestor: bool) -> Mapping[int, AcceptedContext]:
    """The contexts both agreed on, by identifier, with the roles of this side.

    A result for a context or a transfer syntax that was never proposed is left out: nothing may be sent on it.
    """
    proposed = {context.id: context for context in request.contexts}
    agreed: dict[int, AcceptedContext] = {}
    roles = _requestor_roles(request, answer)
    for result in answer.contexts:
        context = proposed.get(result.id)
        if result.result != ContextReason.ACCEPTED or context is None:
            continue
        if result.transfer_syntax not in context.transfer_syntaxes:
            continue
        scu, scp = roles.get(context.abstract_syntax, (True, False))
        mine = (scu, scp) if requestor else (scp, scu)
        agreed[context.id] = AcceptedContext(context.id, context.abstract_syntax, result.transfer_syntax, *mine)
    return agreed


def _requestor_roles(request: AssociateRQ, answer: AssociateAC) -> dict[str, tuple[bool, bool]]:
    """(SCU, SCP) of the requestor by SOP class, where both sides spoke of it; else the default roles hold."""
    wanted = {role.sop_class: role for role in request.user.roles}
    granted = {role.sop_class: role for role in answer.user.roles}
    return {
        uid: (wanted[uid].scu and role.scu, wanted[uid].scp and role.scp)
        for uid, role in granted.items()
        if uid in wanted
    }


def send_limit(peer_max_pdu: int) -> int:
    """The longest P-DATA-TF to send to a peer that announced `peer_max_pdu` (0: unlimited), within our own bound."""
    return min(peer_max_pdu or MAX_PDU_LENGTH, MAX_PDU_LENGTH)
