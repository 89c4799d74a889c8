"""PDUs other than P-DATA-TF as bytes, both ways (PS3.8 9.3).

Reserved bytes are sent as zero and never tested. Items of unknown types are passed over. Everything else that does not
fit, in length, number or form, is an InvalidPduError: the stream behind it cannot be trusted.
"""

from __future__ import annotations

import struct

from leadglass.core import limits
from leadglass.wire.ul import fields
from leadglass.wire.ul.fields import InvalidPduError
from leadglass.wire.ul.pdu import (
    Abort,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    ContextReason,
    ContextResult,
    Pdu,
    PduType,
    ProposedContext,
    ReleaseRP,
    ReleaseRQ,
    UserInformation,
)
from leadglass.wire.ul.user_information import decode_user_information, encode_user_information

PDU_HEADER = struct.Struct(">BxI")  # type, reserved, length of what follows
SHORT_BODY = 4  # of A-ASSOCIATE-RJ, A-RELEASE-RQ, A-RELEASE-RP and A-ABORT
_ASSOCIATE_HEAD = struct.Struct(">Hxx16s16s32x")  # protocol version, called, calling (PS3.8 table 9-11)
_CONTEXT_HEAD = struct.Struct(">BxBx")  # identifier, result (zero in a request)
_ONLY_SYNTAX = struct.Struct(">4xBxH")  # an accepted context's head, and that of its one sub-item
_ANY_SYNTAX = "1.2.840.10008.1.2"
_APPLICATION, _PROPOSED, _RESULT, _ABSTRACT, _TRANSFER, _USER = 0x10, 0x20, 0x21, 0x30, 0x40, 0x50


def check_length(pdu_type: int, length: int, max_p_data: int) -> str:
    """Why a PDU of this type may not announce `length` bytes, as a fixed sentence; empty if it may."""
    if pdu_type == PduType.P_DATA_TF:
        return "" if 6 <= length <= max_p_data else "a P-DATA-TF is empty or over the maximum length"
    if pdu_type in (PduType.ASSOCIATE_RQ, PduType.ASSOCIATE_AC):
        fits = _ASSOCIATE_HEAD.size <= length <= limits.MAX_ASSOCIATE_PDU_LENGTH
        return "" if fits else "an associate PDU has an impossible length"
    if PduType.ASSOCIATE_RJ <= pdu_type <= PduType.ABORT:
        return "" if length == SHORT_BODY else "a PDU of fixed length has another length"
    return "unrecognised PDU type"


def decode(pdu_type: int, body: memoryview) -> Pdu:
    """The PDU of this type with this body (everything behind the 6-byte header). Raises InvalidPduError."""
    if pdu_type == PduType.ASSOCIATE_RQ:
        return _decode_request(body)
    if pdu_type == PduType.ASSOCIATE_AC:
        return _decode_accept(body)
    if len(body) != SHORT_BODY:
        raise InvalidPduError("a PDU of fixed length has another length")
    if pdu_type == PduType.ASSOCIATE_RJ:
        return AssociateRJ(body[1], body[2], body[3])
    if pdu_type == PduType.RELEASE_RQ:
        return ReleaseRQ()
    if pdu_type == PduType.RELEASE_RP:
        return ReleaseRP()
    if pdu_type == PduType.ABORT:
        return Abort(body[2], body[3])
    raise InvalidPduError("unrecognised PDU type")


def encode(pdu: Pdu) -> bytes:
    """The whole PDU, header included. ValueError for values that do not fit the standard's fields."""
    if isinstance(pdu, AssociateRQ | AssociateAC):
        return _encode_associate(pdu)
    if isinstance(pdu, AssociateRJ):
        return _short(PduType.ASSOCIATE_RJ, bytes((0, pdu.result, pdu.source, pdu.reason)))
    if isinstance(pdu, Abort):
        return _short(PduType.ABORT, bytes((0, 0, pdu.source, pdu.reason)))
    kind = PduType.RELEASE_RQ if isinstance(pdu, ReleaseRQ) else PduType.RELEASE_RP
    return _short(kind, bytes(SHORT_BODY))


def _short(pdu_type: PduType, body: bytes) -> bytes:
    return PDU_HEADER.pack(pdu_type, len(body)) + body


def _head(body: memoryview) -> tuple[int, str, str]:
    version, called, calling = _ASSOCIATE_HEAD.unpack(fields.take(body, 0, _ASSOCIATE_HEAD.size))
    return version, fields.decode_ae(memoryview(called)), fields.decode_ae(memoryview(calling))


def _once(values: list[memoryview], what: str) -> memoryview:
    if len(values) != 1:
        raise InvalidPduError(f"there is not exactly one {what}")
    return values[0]


def _sort_items(body: memoryview, context_type: int) -> tuple[str, list[memoryview], UserInformation]:
    """Application context name, presentation context items and user information of an associate PDU."""
    found: dict[int, list[memoryview]] = {_APPLICATION: [], context_type: [], _USER: []}
    for kind, value in fields.walk_items(body[_ASSOCIATE_HEAD.size :]):
        if kind in found:
            found[kind].append(value)
    contexts = found[context_type]
    if not 1 <= len(contexts) <= limits.MAX_PRESENTATION_CONTEXTS:
        raise InvalidPduError("there are no presentation contexts, or more than 128")
    application = fields.decode_uid(_once(found[_APPLICATION], "application context"))
    return application, contexts, decode_user_information(_once(found[_USER], "user information item"))


def _context_head(value: memoryview, seen: set[int]) -> tuple[int, int]:
    """Identifier and result of a presentation context item; the identifier is odd and new (PS3.8 9.3.2.2)."""
    if len(value) < _CONTEXT_HEAD.size:
        raise InvalidPduError("a field reaches beyond its item")
    identifier, result = _CONTEXT_HEAD.unpack_from(value)
    if identifier % 2 == 0 or identifier in seen:
        raise InvalidPduError("a presentation context identifier is even or comes twice")
    seen.add(identifier)
    return identifier, result


def _decode_request(body: memoryview) -> AssociateRQ:
    version, called, calling = _head(body)
    application, items, user = _sort_items(body, _PROPOSED)
    seen: set[int] = set()
    contexts = tuple(_decode_proposed(value, seen) for value in items)
    return AssociateRQ(called, calling, contexts, user, application, version)


def _decode_proposed(value: memoryview, seen: set[int]) -> ProposedContext:
    identifier, _ = _context_head(value, seen)
    abstract: list[memoryview] = []
    transfer: list[str] = []
    for kind, syntax in fields.walk_items(value[_CONTEXT_HEAD.size :]):
        if kind == _ABSTRACT:
            abstract.append(syntax)
        elif kind == _TRANSFER:
            transfer.append(fields.decode_uid(syntax))
            if len(transfer) > limits.MAX_TRANSFER_SYNTAXES_PER_CONTEXT:
                raise InvalidPduError("a presentation context offers too many transfer syntaxes")
    if not transfer:
        raise InvalidPduError("a presentation context offers no transfer syntax")
    return ProposedContext(identifier, fields.decode_uid(_once(abstract, "abstract syntax")), tuple(transfer))


def _decode_accept(body: memoryview) -> AssociateAC:
    version, called, calling = _head(body)
    application, items, user = _sort_items(body, _RESULT)
    seen: set[int] = set()
    contexts = tuple(_decode_result(value, seen) for value in items)
    return AssociateAC(called, calling, contexts, user, application, version)


def _decode_result(value: memoryview, seen: set[int]) -> ContextResult:
    identifier, result = _context_head(value, seen)
    if result != ContextReason.ACCEPTED:  # the transfer syntax is then not significant (PS3.8 table 9-18)
        return ContextResult(identifier, result)
    if len(value) > _ONLY_SYNTAX.size and _ONLY_SYNTAX.unpack_from(value) == (
        _TRANSFER,
        len(value) - _ONLY_SYNTAX.size,
    ):
        return ContextResult(identifier, result, fields.decode_uid(value[_ONLY_SYNTAX.size :]))
    syntaxes = [syntax for kind, syntax in fields.walk_items(value[_CONTEXT_HEAD.size :]) if kind == _TRANSFER]
    return ContextResult(identifier, result, fields.decode_uid(_once(syntaxes, "transfer syntax")))


def _encode_associate(pdu: AssociateRQ | AssociateAC) -> bytes:
    kind = PduType.ASSOCIATE_RQ if isinstance(pdu, AssociateRQ) else PduType.ASSOCIATE_AC
    head = _ASSOCIATE_HEAD.pack(pdu.protocol_version, fields.encode_ae(pdu.called_ae), fields.encode_ae(pdu.calling_ae))
    parts = [head, fields.item(_APPLICATION, fields.encode_uid(pdu.application_context))]
    if isinstance(pdu, AssociateRQ):
        parts += [_encode_proposed(context) for context in pdu.contexts]
    else:
        parts += [_encode_result(context) for context in pdu.contexts]
    parts.append(fields.item(_USER, encode_user_information(pdu.user)))
    body = b"".join(parts)
    if len(body) > limits.MAX_ASSOCIATE_PDU_LENGTH:
        raise ValueError("an associate PDU would be over its bound")
    return PDU_HEADER.pack(kind, len(body)) + body


def _encode_proposed(context: ProposedContext) -> bytes:
    syntaxes = [fields.item(_TRANSFER, fields.encode_uid(uid)) for uid in context.transfer_syntaxes]
    abstract = fields.item(_ABSTRACT, fields.encode_uid(context.abstract_syntax))
    return fields.item(_PROPOSED, _CONTEXT_HEAD.pack(context.id, 0) + abstract + b"".join(syntaxes))


def _encode_result(context: ContextResult) -> bytes:
    uid = context.transfer_syntax or _ANY_SYNTAX  # not significant then, but some peers cannot read an empty one
    syntax = fields.item(_TRANSFER, fields.encode_uid(uid))
    return fields.item(_RESULT, _CONTEXT_HEAD.pack(context.id, context.result) + syntax)
