"""Which presentation contexts are accepted for an admitted device (PS3.8 9.3.3.2; PS3.7 D.3.3.4)."""

from __future__ import annotations

from collections.abc import Mapping

from leadglass.core.device import Device
from leadglass.core.limits import MAX_PDU_LENGTH
from leadglass.core.principal import Principal, Right
from leadglass.dicom import uids
from leadglass.dicom.sop_classes import STORAGE_SOP_CLASSES
from leadglass.dicom.transfer_syntaxes import choose
from leadglass.wire.ul.pdu import (
    AssociateAC,
    AssociateRQ,
    AsynchronousWindow,
    ContextReason,
    ContextResult,
    ExtendedNegotiation,
    ProposedContext,
    RoleSelection,
    UserInformation,
)

SERVICE_RIGHTS: Mapping[str, Right] = {
    uids.VERIFICATION: Right.ECHO,
    uids.PATIENT_ROOT_FIND: Right.FIND,
    uids.STUDY_ROOT_FIND: Right.FIND,
    uids.PATIENT_ROOT_MOVE: Right.RETRIEVE,
    uids.STUDY_ROOT_MOVE: Right.RETRIEVE,
    uids.PATIENT_ROOT_GET: Right.RETRIEVE,
    uids.STUDY_ROOT_GET: Right.RETRIEVE,
}
QUERY_SYNTAXES = (uids.EXPLICIT_VR_LE, uids.IMPLICIT_VR_LE, uids.DEFLATED_EXPLICIT_VR_LE, uids.EXPLICIT_VR_BE)

# Service class application information (PS3.4 tables C.5-1, C.5-2 and B.3-1), what this archive does of each byte.
_FIND_AGREED = b"\1\1\0\1\0"  # relational, combined date-time, no fuzzy names, time zones, no enhanced conversion
_RETRIEVE_AGREED = b"\1\0"  # relational, no enhanced conversion
_STORAGE_AGREED = b"\2\0\3\0\0\0"  # every attribute kept (level 2), signatures kept bit by bit (3), nothing coerced
_DATE_TIME = 1  # place of the byte on combined date-time matching


def answer(request: AssociateRQ, device: Device, principal: Principal) -> AssociateAC:
    """The A-ASSOCIATE-AC: a result per context, roles granted, window (1, 1), what is done of the extensions."""
    roles = _roles(request, principal)
    getter = {role.sop_class for role in roles if role.scp}
    user = UserInformation(
        max_pdu_length=MAX_PDU_LENGTH,
        implementation_class_uid=uids.IMPLEMENTATION_CLASS_UID,
        implementation_version_name=uids.IMPLEMENTATION_VERSION_NAME,
        roles=roles,
        asynchronous=AsynchronousWindow(1, 1) if request.user.asynchronous is not None else None,
        extended=_extended(request, device),
        identity_response=_identity_response(request),
    )
    results = tuple(_result(item, device, principal, item.abstract_syntax in getter) for item in request.contexts)
    return AssociateAC(request.called_ae, request.calling_ae, results, user)


def _result(context: ProposedContext, device: Device, principal: Principal, receives: bool) -> ContextResult:
    needed = _right_for(context.abstract_syntax, device)
    if needed is None:
        return ContextResult(context.id, ContextReason.ABSTRACT_SYNTAX_NOT_SUPPORTED)
    if not principal.may(needed) and not (receives and principal.may(Right.RETRIEVE)):
        return ContextResult(context.id, ContextReason.USER_REJECTION)
    allowed = device.transfer_syntaxes if needed is Right.STORE else QUERY_SYNTAXES
    syntax = choose(context.transfer_syntaxes, allowed)
    if syntax is None:
        return ContextResult(context.id, ContextReason.TRANSFER_SYNTAXES_NOT_SUPPORTED)
    return ContextResult(context.id, ContextReason.ACCEPTED, syntax)


def _right_for(abstract_syntax: str, device: Device) -> Right | None:
    service = SERVICE_RIGHTS.get(abstract_syntax)
    if service is not None:
        return service
    if abstract_syntax in STORAGE_SOP_CLASSES or abstract_syntax in device.private_sop_classes:
        return Right.STORE
    return None


def _roles(request: AssociateRQ, principal: Principal) -> tuple[RoleSelection, ...]:
    """The requestor may be SCP of storage classes for C-GET if it may retrieve, and SCU if it may store."""
    granted = []
    for role in request.user.roles:
        storage = role.sop_class not in SERVICE_RIGHTS
        scp = role.scp and storage and principal.may(Right.RETRIEVE)
        scu = role.scu and (not storage or principal.may(Right.STORE))
        granted.append(RoleSelection(role.sop_class, scu, scp))
    return tuple(granted)


def combines_date_time(request: AssociateRQ | None, sop_class: str) -> bool:
    """Whether a date and its time in a C-FIND of `sop_class` are one range: asked for, and so agreed to."""
    extended = request.user.extended if request is not None else ()
    asked = (item.information for item in extended if item.sop_class == sop_class)
    return any(information[_DATE_TIME : _DATE_TIME + 1] == b"\1" for information in asked)


def _extended(request: AssociateRQ, device: Device) -> tuple[ExtendedNegotiation, ...]:
    """Of what was asked for, what is done; bytes that no standard knows are answered with 0."""
    answers = []
    for item in request.user.extended:
        needed = _right_for(item.sop_class, device)
        if needed is Right.STORE:
            answers.append(ExtendedNegotiation(item.sop_class, _STORAGE_AGREED))
        elif needed in (Right.FIND, Right.RETRIEVE) and item.information:
            done = _FIND_AGREED if needed is Right.FIND else _RETRIEVE_AGREED
            pairs = zip(item.information, done.ljust(len(item.information), b"\0"), strict=False)
            answers.append(ExtendedNegotiation(item.sop_class, bytes(asked == 1 and can for asked, can in pairs)))
    return tuple(answers)


def _identity_response(request: AssociateRQ) -> bytes | None:
    identity = request.user.identity
    return b"" if identity is not None and identity.response_requested else None
