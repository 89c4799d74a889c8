"""The user information item, both ways (PS3.8 annex D.1, PS3.7 annex D.3.3)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from leadglass.core.limits import MAX_PRESENTATION_CONTEXTS, MAX_USER_IDENTITY_FIELD
from leadglass.wire.ul import fields
from leadglass.wire.ul.fields import InvalidPduError
from leadglass.wire.ul.pdu import (
    AsynchronousWindow,
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    RoleSelection,
    UserIdentity,
    UserInformation,
)

MAX_NEGOTIATIONS = 2 * MAX_PRESENTATION_CONTEXTS  # of one kind; each is about a SOP class of a context
MIN_PDU_LENGTH = 128  # a peer that takes less would have us send more headers than data
MAX_RELATED = 128  # related general SOP classes of one common extended negotiation; the standard names fewer than 20
_UINT32 = struct.Struct(">I")
_WINDOW = struct.Struct(">HH")
_ROLES = struct.Struct(">BB")


@dataclass(slots=True)
class _Draft:
    """The item while its sub-items are read."""

    max_pdu_length: int = 0
    implementation_class_uid: str = ""
    implementation_version_name: str = ""
    roles: list[RoleSelection] = field(default_factory=list)
    asynchronous: AsynchronousWindow | None = None
    extended: list[ExtendedNegotiation] = field(default_factory=list)
    common_extended: list[CommonExtendedNegotiation] = field(default_factory=list)
    identity: UserIdentity | None = None
    identity_response: bytes | None = None


def _max_length(draft: _Draft, value: memoryview) -> None:
    _exactly(value, 4)
    (draft.max_pdu_length,) = _UINT32.unpack(value)
    if 0 < draft.max_pdu_length < MIN_PDU_LENGTH:
        raise InvalidPduError("a maximum length is too small to carry data")


def _class_uid(draft: _Draft, value: memoryview) -> None:
    draft.implementation_class_uid = fields.decode_uid(value)


def _window(draft: _Draft, value: memoryview) -> None:
    _exactly(value, 4)
    draft.asynchronous = AsynchronousWindow(*_WINDOW.unpack(value))


def _role(draft: _Draft, value: memoryview) -> None:
    uid, offset = fields.take_counted(value, 0)
    _exactly(value[offset:], 2)
    scu, scp = _ROLES.unpack_from(value, offset)
    _bounded(draft.roles)
    draft.roles.append(RoleSelection(fields.decode_uid(uid), bool(scu), bool(scp)))


def _version_name(draft: _Draft, value: memoryview) -> None:
    text = bytes(value[: fields.VERSION_NAME_LENGTH]).decode("latin-1")  # longer ones are seen, and cut
    draft.implementation_version_name = text.strip(" \0")


def _extended(draft: _Draft, value: memoryview) -> None:
    uid, offset = fields.take_counted(value, 0)
    _bounded(draft.extended)
    draft.extended.append(ExtendedNegotiation(fields.decode_uid(uid), bytes(value[offset:])))


def _common_extended(draft: _Draft, value: memoryview) -> None:
    sop_class, offset = fields.take_counted(value, 0)
    service_class, offset = fields.take_counted(value, offset)
    listed, offset = fields.take_counted(value, offset)  # what follows is reserved for later versions (D.3-11)
    related: list[str] = []
    position = 0
    while position < len(listed):
        uid, position = fields.take_counted(listed, position)
        _bounded(related, MAX_RELATED)
        related.append(fields.decode_uid(uid))
    _bounded(draft.common_extended)
    draft.common_extended.append(
        CommonExtendedNegotiation(fields.decode_uid(sop_class), fields.decode_uid(service_class), tuple(related))
    )


def _identity(draft: _Draft, value: memoryview) -> None:
    kind, response = _ROLES.unpack(fields.take(value, 0, 2))
    primary, offset = fields.take_counted(value, 2)
    secondary, offset = fields.take_counted(value, offset)
    _exactly(value[offset:], 0)
    if max(len(primary), len(secondary)) > MAX_USER_IDENTITY_FIELD:
        raise InvalidPduError("a user identity field is too long")
    draft.identity = UserIdentity(kind, bool(response), bytes(primary), bytes(secondary))


def _identity_response(draft: _Draft, value: memoryview) -> None:
    response, offset = fields.take_counted(value, 0)
    _exactly(value[offset:], 0)
    draft.identity_response = bytes(response)


_READERS: dict[int, Callable[[_Draft, memoryview], None]] = {
    0x51: _max_length,
    0x52: _class_uid,
    0x53: _window,
    0x54: _role,
    0x55: _version_name,
    0x56: _extended,
    0x57: _common_extended,
    0x58: _identity,
    0x59: _identity_response,
}


def _exactly(value: memoryview, length: int) -> None:
    if len(value) != length:
        raise InvalidPduError("a user information sub-item has a wrong length")


def _bounded(
    gathered: list[RoleSelection] | list[ExtendedNegotiation] | list[CommonExtendedNegotiation] | list[str],
    limit: int = MAX_NEGOTIATIONS,
) -> None:
    if len(gathered) >= limit:
        raise InvalidPduError("too many negotiations of one kind")


def decode_user_information(value: memoryview) -> UserInformation:
    """Read the item's value. Unknown sub-items are passed over (PS3.8 9.3.1), the last of a kind holds."""
    draft = _Draft()
    for kind, body in fields.walk_items(value):
        reader = _READERS.get(kind)
        if reader is not None:
            reader(draft, body)
    return UserInformation(
        draft.max_pdu_length,
        draft.implementation_class_uid,
        draft.implementation_version_name,
        tuple(draft.roles),
        draft.asynchronous,
        tuple(draft.extended),
        tuple(draft.common_extended),
        draft.identity,
        draft.identity_response,
    )


def encode_user_information(user: UserInformation) -> bytes:
    """The item's value, sub-items in ascending order of type (PS3.7 D.3.3 leaves it free). ValueError over bounds."""
    parts = [
        fields.item(0x51, _UINT32.pack(user.max_pdu_length)),
        fields.item(0x52, fields.encode_uid(user.implementation_class_uid)),
    ]
    if user.asynchronous is not None:
        parts.append(fields.item(0x53, _WINDOW.pack(user.asynchronous.invoked, user.asynchronous.performed)))
    for role in user.roles:
        uid = fields.counted(fields.encode_uid(role.sop_class))
        parts.append(fields.item(0x54, uid + _ROLES.pack(role.scu, role.scp)))
    if user.implementation_version_name:
        name = user.implementation_version_name.encode("latin-1")
        if len(name) > fields.VERSION_NAME_LENGTH:
            raise ValueError("an implementation version name has at most 16 characters")
        parts.append(fields.item(0x55, name))
    for extended in user.extended:
        parts.append(fields.item(0x56, fields.counted(fields.encode_uid(extended.sop_class)) + extended.information))
    for common in user.common_extended:
        related = b"".join(fields.counted(fields.encode_uid(uid)) for uid in common.related)
        classes = [common.sop_class, common.service_class]
        head = b"".join(fields.counted(fields.encode_uid(uid)) for uid in classes)
        parts.append(fields.item(0x57, head + fields.counted(related)))
    if user.identity is not None:
        identity = user.identity
        head = _ROLES.pack(identity.type, identity.response_requested)
        secrets = fields.counted(identity.primary) + fields.counted(identity.secondary)
        parts.append(fields.item(0x58, head + secrets))
    if user.identity_response is not None:
        parts.append(fields.item(0x59, fields.counted(user.identity_response)))
    return b"".join(parts)
