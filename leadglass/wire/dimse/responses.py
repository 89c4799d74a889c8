"""Builders of responses of the C- and N-services (PS3.7 9.3, 10.3). Class, instance, event and action are taken over
from the request; an optional element that is None or empty is left out."""

from __future__ import annotations

from leadglass.wire.dimse import elements as el
from leadglass.wire.dimse.command import DATA_SET, NO_DATA_SET, RESPONSE, Command, CommandField
from leadglass.wire.dimse.elements import Value, violation

_ECHOED = (  # element of the request -> element of its response
    (el.AFFECTED_SOP_CLASS_UID, el.AFFECTED_SOP_CLASS_UID),
    (el.REQUESTED_SOP_CLASS_UID, el.AFFECTED_SOP_CLASS_UID),
    (el.AFFECTED_SOP_INSTANCE_UID, el.AFFECTED_SOP_INSTANCE_UID),
    (el.REQUESTED_SOP_INSTANCE_UID, el.AFFECTED_SOP_INSTANCE_UID),
    (el.EVENT_TYPE_ID, el.EVENT_TYPE_ID),
    (el.ACTION_TYPE_ID, el.ACTION_TYPE_ID),
)


def response_to(
    request: Command,
    status: int,
    *,
    has_data_set: bool = False,
    error_comment: str = "",
    offending_elements: tuple[int, ...] = (),
    error_id: int | None = None,
) -> Command:
    """The response of whichever service `request` belongs to, with `status`.

    `error_comment` becomes ASCII of at most 64 characters. UNPARSABLE for what has no response: C-CANCEL or a response.
    """
    if request.field is CommandField.C_CANCEL_RQ or request.is_response:
        raise violation("This message has no response.")
    asked = request.elements
    field = CommandField(request.field | RESPONSE)
    values: dict[int, Value] = {
        el.COMMAND_FIELD: int(field),
        el.MESSAGE_ID_RESPONDED_TO: asked[el.MESSAGE_ID],
        el.DATA_SET_TYPE: DATA_SET if has_data_set else NO_DATA_SET,
        el.STATUS: status,
    }
    for source, target in _ECHOED:
        value = asked.get(source)
        if value is not None:
            values[target] = value
    if error_comment:
        values[el.ERROR_COMMENT] = error_comment
    if offending_elements:
        values[el.OFFENDING_ELEMENT] = offending_elements
    if error_id is not None:
        values[el.ERROR_ID] = error_id
    return Command(field, values)


def _with(response: Command, more: dict[int, int | str | tuple[int, ...] | None]) -> Command:
    added = {number: value for number, value in more.items() if value is not None and value not in ("", ())}
    return Command(response.field, {**response.elements, **added})


def _answer(
    request: Command,
    field: CommandField,
    status: int,
    *,
    has_data_set: bool = False,
    error_comment: str = "",
    offending_elements: tuple[int, ...] = (),
    error_id: int | None = None,
) -> Command:
    if request.field is not field:
        raise violation("The response does not belong to this request.")
    return response_to(
        request,
        status,
        has_data_set=has_data_set,
        error_comment=error_comment,
        offending_elements=offending_elements,
        error_id=error_id,
    )


def c_echo_rsp(request: Command, status: int, *, error_comment: str = "") -> Command:
    """C-ECHO-RSP (PS3.7 9.3.5.2)."""
    return _answer(request, CommandField.C_ECHO_RQ, status, error_comment=error_comment)


def c_store_rsp(
    request: Command, status: int, *, error_comment: str = "", offending_elements: tuple[int, ...] = ()
) -> Command:
    """C-STORE-RSP (PS3.7 9.3.1.2)."""
    return _answer(
        request,
        CommandField.C_STORE_RQ,
        status,
        error_comment=error_comment,
        offending_elements=offending_elements,
    )


def c_find_rsp(
    request: Command,
    status: int,
    *,
    has_data_set: bool = False,
    error_comment: str = "",
    offending_elements: tuple[int, ...] = (),
) -> Command:
    """C-FIND-RSP (PS3.7 9.3.2.2); an identifier follows a pending one."""
    return _answer(
        request,
        CommandField.C_FIND_RQ,
        status,
        has_data_set=has_data_set,
        error_comment=error_comment,
        offending_elements=offending_elements,
    )


def _counts(
    remaining: int | None, completed: int | None, failed: int | None, warning: int | None
) -> dict[int, Value | None]:
    counts = {el.REMAINING: remaining, el.COMPLETED: completed, el.FAILED: failed, el.WARNING: warning}
    return {number: None if count is None else min(count, 0xFFFF) for number, count in counts.items()}


def c_get_rsp(
    request: Command,
    status: int,
    *,
    has_data_set: bool = False,
    error_comment: str = "",
    offending_elements: tuple[int, ...] = (),
    remaining: int | None = None,
    completed: int | None = None,
    failed: int | None = None,
    warning: int | None = None,
) -> Command:
    """C-GET-RSP (PS3.7 9.3.3.2). Counts beyond 65,535, which US cannot hold, are told as 65,535."""
    response = _answer(
        request,
        CommandField.C_GET_RQ,
        status,
        has_data_set=has_data_set,
        error_comment=error_comment,
        offending_elements=offending_elements,
    )
    return _with(response, _counts(remaining, completed, failed, warning))


def c_move_rsp(
    request: Command,
    status: int,
    *,
    has_data_set: bool = False,
    error_comment: str = "",
    offending_elements: tuple[int, ...] = (),
    remaining: int | None = None,
    completed: int | None = None,
    failed: int | None = None,
    warning: int | None = None,
) -> Command:
    """C-MOVE-RSP (PS3.7 9.3.4.2). Counts beyond 65,535, which US cannot hold, are told as 65,535."""
    response = _answer(
        request,
        CommandField.C_MOVE_RQ,
        status,
        has_data_set=has_data_set,
        error_comment=error_comment,
        offending_elements=offending_elements,
    )
    return _with(response, _counts(remaining, completed, failed, warning))


def n_event_report_rsp(
    request: Command, status: int, *, has_data_set: bool = False, error_comment: str = "", error_id: int | None = None
) -> Command:
    """N-EVENT-REPORT-RSP (PS3.7 10.3.1.2)."""
    return _answer(
        request,
        CommandField.N_EVENT_REPORT_RQ,
        status,
        has_data_set=has_data_set,
        error_comment=error_comment,
        error_id=error_id,
    )


def n_get_rsp(
    request: Command,
    status: int,
    *,
    has_data_set: bool = False,
    error_comment: str = "",
    error_id: int | None = None,
    tags: tuple[int, ...] = (),
) -> Command:
    """N-GET-RSP (PS3.7 10.3.2.2); `tags` are those in error."""
    response = _answer(
        request,
        CommandField.N_GET_RQ,
        status,
        has_data_set=has_data_set,
        error_comment=error_comment,
        error_id=error_id,
    )
    return _with(response, {el.ATTRIBUTE_IDENTIFIER_LIST: tags})


def n_set_rsp(
    request: Command,
    status: int,
    *,
    has_data_set: bool = False,
    error_comment: str = "",
    error_id: int | None = None,
    tags: tuple[int, ...] = (),
) -> Command:
    """N-SET-RSP (PS3.7 10.3.3.2); `tags` are those in error."""
    response = _answer(
        request,
        CommandField.N_SET_RQ,
        status,
        has_data_set=has_data_set,
        error_comment=error_comment,
        error_id=error_id,
    )
    return _with(response, {el.ATTRIBUTE_IDENTIFIER_LIST: tags})


def n_action_rsp(
    request: Command, status: int, *, has_data_set: bool = False, error_comment: str = "", error_id: int | None = None
) -> Command:
    """N-ACTION-RSP (PS3.7 10.3.4.2)."""
    return _answer(
        request,
        CommandField.N_ACTION_RQ,
        status,
        has_data_set=has_data_set,
        error_comment=error_comment,
        error_id=error_id,
    )


def n_create_rsp(
    request: Command,
    status: int,
    *,
    sop_instance: str = "",
    has_data_set: bool = False,
    error_comment: str = "",
    error_id: int | None = None,
) -> Command:
    """N-CREATE-RSP (PS3.7 10.3.5.2); `sop_instance` is the one assigned when the request named none."""
    response = _answer(
        request,
        CommandField.N_CREATE_RQ,
        status,
        has_data_set=has_data_set,
        error_comment=error_comment,
        error_id=error_id,
    )
    return _with(response, {el.AFFECTED_SOP_INSTANCE_UID: sop_instance})


def n_delete_rsp(request: Command, status: int, *, error_comment: str = "", error_id: int | None = None) -> Command:
    """N-DELETE-RSP (PS3.7 10.3.6.2)."""
    return _answer(request, CommandField.N_DELETE_RQ, status, error_comment=error_comment, error_id=error_id)
