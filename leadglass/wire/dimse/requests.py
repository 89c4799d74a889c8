"""Builders of requests of the C- and N-services (PS3.7 9.3, 10.3). What is None or empty is left out."""

from __future__ import annotations

from leadglass.wire.dimse import elements as el
from leadglass.wire.dimse.command import DATA_SET, NO_DATA_SET, Command, CommandField, Priority
from leadglass.wire.dimse.elements import Value


def _request(field: CommandField, message_id: int, has_data_set: bool, more: dict[int, Value | None]) -> Command:
    values: dict[int, Value] = {
        el.COMMAND_FIELD: int(field),
        el.MESSAGE_ID: message_id,
        el.DATA_SET_TYPE: DATA_SET if has_data_set else NO_DATA_SET,
    }
    for number, value in more.items():
        if value is not None and value not in ("", ()):
            values[number] = value
    return Command(field, values)


def c_echo_rq(message_id: int, sop_class: str = "1.2.840.10008.1.1") -> Command:
    """C-ECHO-RQ (PS3.7 9.3.5.1)."""
    return _request(CommandField.C_ECHO_RQ, message_id, False, {el.AFFECTED_SOP_CLASS_UID: sop_class})


def c_store_rq(
    message_id: int,
    sop_class: str,
    sop_instance: str,
    *,
    priority: int = Priority.MEDIUM,
    move_originator_ae: str = "",
    move_originator_message_id: int | None = None,
) -> Command:
    """C-STORE-RQ (PS3.7 9.3.1.1), with the originator when it is a sub-operation of a C-MOVE."""
    more: dict[int, Value | None] = {
        el.AFFECTED_SOP_CLASS_UID: sop_class,
        el.PRIORITY: int(priority),
        el.AFFECTED_SOP_INSTANCE_UID: sop_instance,
        el.MOVE_ORIGINATOR_AE: move_originator_ae,
        el.MOVE_ORIGINATOR_MESSAGE_ID: move_originator_message_id,
    }
    return _request(CommandField.C_STORE_RQ, message_id, True, more)


def c_find_rq(message_id: int, sop_class: str, *, priority: int = Priority.MEDIUM) -> Command:
    """C-FIND-RQ (PS3.7 9.3.2.1); the identifier follows."""
    more: dict[int, Value | None] = {el.AFFECTED_SOP_CLASS_UID: sop_class, el.PRIORITY: int(priority)}
    return _request(CommandField.C_FIND_RQ, message_id, True, more)


def c_get_rq(message_id: int, sop_class: str, *, priority: int = Priority.MEDIUM) -> Command:
    """C-GET-RQ (PS3.7 9.3.3.1); the identifier follows."""
    more: dict[int, Value | None] = {el.AFFECTED_SOP_CLASS_UID: sop_class, el.PRIORITY: int(priority)}
    return _request(CommandField.C_GET_RQ, message_id, True, more)


def c_move_rq(message_id: int, sop_class: str, destination: str, *, priority: int = Priority.MEDIUM) -> Command:
    """C-MOVE-RQ to the AE title `destination` (PS3.7 9.3.4.1); the identifier follows."""
    more: dict[int, Value | None] = {
        el.AFFECTED_SOP_CLASS_UID: sop_class,
        el.MOVE_DESTINATION: destination,
        el.PRIORITY: int(priority),
    }
    return _request(CommandField.C_MOVE_RQ, message_id, True, more)


def c_cancel_rq(message_id: int) -> Command:
    """C-CANCEL-RQ of the request `message_id` (PS3.7 9.3.2.3). It has no answer of its own."""
    field = CommandField.C_CANCEL_RQ
    values: dict[int, Value] = {
        el.COMMAND_FIELD: int(field),
        el.MESSAGE_ID_RESPONDED_TO: message_id,
        el.DATA_SET_TYPE: NO_DATA_SET,
    }
    return Command(field, values)


def n_event_report_rq(
    message_id: int, sop_class: str, sop_instance: str, event_type_id: int, *, has_data_set: bool = False
) -> Command:
    """N-EVENT-REPORT-RQ (PS3.7 10.3.1.1)."""
    more: dict[int, Value | None] = {
        el.AFFECTED_SOP_CLASS_UID: sop_class,
        el.AFFECTED_SOP_INSTANCE_UID: sop_instance,
        el.EVENT_TYPE_ID: event_type_id,
    }
    return _request(CommandField.N_EVENT_REPORT_RQ, message_id, has_data_set, more)


def _of_instance(sop_class: str, sop_instance: str) -> dict[int, Value | None]:
    return {el.REQUESTED_SOP_CLASS_UID: sop_class, el.REQUESTED_SOP_INSTANCE_UID: sop_instance}


def n_get_rq(message_id: int, sop_class: str, sop_instance: str, tags: tuple[int, ...] = ()) -> Command:
    """N-GET-RQ (PS3.7 10.3.2.1); no `tags` asks for all attributes."""
    more = _of_instance(sop_class, sop_instance) | {el.ATTRIBUTE_IDENTIFIER_LIST: tags}
    return _request(CommandField.N_GET_RQ, message_id, False, more)


def n_set_rq(message_id: int, sop_class: str, sop_instance: str) -> Command:
    """N-SET-RQ (PS3.7 10.3.3.1); the modification list follows."""
    return _request(CommandField.N_SET_RQ, message_id, True, _of_instance(sop_class, sop_instance))


def n_action_rq(
    message_id: int, sop_class: str, sop_instance: str, action_type_id: int, *, has_data_set: bool = False
) -> Command:
    """N-ACTION-RQ (PS3.7 10.3.4.1)."""
    more = _of_instance(sop_class, sop_instance) | {el.ACTION_TYPE_ID: action_type_id}
    return _request(CommandField.N_ACTION_RQ, message_id, has_data_set, more)


def n_create_rq(message_id: int, sop_class: str, sop_instance: str = "", *, has_data_set: bool = False) -> Command:
    """N-CREATE-RQ (PS3.7 10.3.5.1); without `sop_instance` the performer assigns one."""
    more: dict[int, Value | None] = {el.AFFECTED_SOP_CLASS_UID: sop_class, el.AFFECTED_SOP_INSTANCE_UID: sop_instance}
    return _request(CommandField.N_CREATE_RQ, message_id, has_data_set, more)


def n_delete_rq(message_id: int, sop_class: str, sop_instance: str) -> Command:
    """N-DELETE-RQ (PS3.7 10.3.6.1)."""
    return _request(CommandField.N_DELETE_RQ, message_id, False, _of_instance(sop_class, sop_instance))
