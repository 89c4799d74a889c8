"""Which presentation contexts, roles and extended negotiation an admitted device is given."""

import pytest

from leadglass.core.device import Device
from leadglass.core.principal import Principal, PrincipalKind, Right
from leadglass.dicom import uids
from leadglass.dicom.sop_classes import STORAGE_SOP_CLASSES
from leadglass.scp.negotiation import SERVICE_RIGHTS, answer, combines_date_time
from leadglass.wire.ul.pdu import (
    AssociateRQ,
    AsynchronousWindow,
    ExtendedNegotiation,
    ProposedContext,
    RoleSelection,
    UserIdentity,
    UserInformation,
)

CT = "1.2.840.10008.5.1.4.1.1.2"
JPEG_LS, JPEG_2000 = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90"
LOSSY, JPIP = "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.94"
EVERY_RIGHT = frozenset({Right.ECHO, Right.STORE, Right.FIND, Right.RETRIEVE})
ACCEPTED, BY_USER, NO_CLASS, NO_SYNTAX = 0, 1, 3, 4


def negotiated(*contexts, rights=EVERY_RIGHT, device=None, **user):
    """The answer to a request with these (abstract syntax, transfer syntaxes) pairs."""
    device = device or Device("ct", ("CT",), ("127.0.0.1/32",), rights)
    principal = Principal(PrincipalKind.DEVICE, device.name, rights, "127.0.0.1", "CT")
    proposed = tuple(ProposedContext(2 * number + 1, *pair) for number, pair in enumerate(contexts))
    return answer(AssociateRQ("ARCHIVE", "CT", proposed, UserInformation(16384, "1.2.3", **user)), device, principal)


def results(*contexts, **changes):
    return [(item.result, item.transfer_syntax) for item in negotiated(*contexts, **changes).contexts]


@pytest.mark.parametrize("start", range(0, len(STORAGE_SOP_CLASSES), 100))
def test_every_storage_class_is_accepted(start):
    some = list(STORAGE_SOP_CLASSES)[start : start + 100]
    given = results(*((sop_class, (uids.IMPLICIT_VR_LE,)) for sop_class in some))
    assert given == [(ACCEPTED, uids.IMPLICIT_VR_LE)] * len(some)


@pytest.mark.parametrize("sop_class", SERVICE_RIGHTS)
def test_every_service_is_accepted(sop_class):
    assert results((sop_class, (uids.EXPLICIT_VR_LE,))) == [(ACCEPTED, uids.EXPLICIT_VR_LE)]


@pytest.mark.parametrize(
    ("offered", "taken"),
    [
        ((uids.IMPLICIT_VR_LE, uids.EXPLICIT_VR_LE), uids.EXPLICIT_VR_LE),
        ((JPEG_LS, uids.IMPLICIT_VR_LE), uids.IMPLICIT_VR_LE),
        ((uids.EXPLICIT_VR_BE, JPEG_2000, JPEG_LS), JPEG_2000),
        ((JPEG_LS, JPEG_2000), JPEG_LS),
        ((uids.EXPLICIT_VR_BE, uids.DEFLATED_EXPLICIT_VR_LE), uids.DEFLATED_EXPLICIT_VR_LE),
        ((LOSSY, uids.EXPLICIT_VR_BE), uids.EXPLICIT_VR_BE),
        ((LOSSY,), LOSSY),
        ((JPIP, LOSSY), LOSSY),
    ],
)
def test_order_of_transfer_syntaxes(offered, taken):
    assert results((CT, offered)) == [(ACCEPTED, taken)]


@pytest.mark.parametrize("offered", [(JPIP,), ("1.2.3.4",), ("1.2.840.10008.1.2.7.1",)])
def test_syntaxes_without_the_pixels_and_unknown_ones_are_not_accepted(offered):
    assert results((CT, offered))[0][0] == NO_SYNTAX


def test_a_device_may_narrow_the_syntaxes_of_storage_only():
    device = Device("ct", ("CT",), ("127.0.0.1/32",), EVERY_RIGHT, transfer_syntaxes=(uids.IMPLICIT_VR_LE,))
    both = (uids.EXPLICIT_VR_LE, uids.IMPLICIT_VR_LE)
    given = results(
        (CT, both), (CT, (uids.EXPLICIT_VR_LE,)), (uids.STUDY_ROOT_FIND, (uids.EXPLICIT_VR_LE,)), device=device
    )
    assert [result for result, _ in given] == [ACCEPTED, NO_SYNTAX, ACCEPTED]
    assert given[0][1] == uids.IMPLICIT_VR_LE


@pytest.mark.parametrize(("sop_class", "right"), [*SERVICE_RIGHTS.items(), (CT, Right.STORE)])
def test_a_missing_right_is_a_user_rejection_of_that_context_alone(sop_class, right):
    other = uids.VERIFICATION if sop_class != uids.VERIFICATION else CT
    implicit = (uids.IMPLICIT_VR_LE,)
    given = results((sop_class, implicit), (other, implicit), rights=EVERY_RIGHT - {right})
    assert [result for result, _ in given] == [BY_USER, ACCEPTED]


def test_unknown_classes_are_not_supported_and_private_ones_are_by_device():
    private = "1.3.9999.1.2"
    assert results((private, (uids.IMPLICIT_VR_LE,)))[0][0] == NO_CLASS
    device = Device("us", ("US",), ("127.0.0.1/32",), EVERY_RIGHT, private_sop_classes=(private,))
    assert results((private, (uids.IMPLICIT_VR_LE,)), device=device) == [(ACCEPTED, uids.IMPLICIT_VR_LE)]
    assert results((private, (uids.IMPLICIT_VR_LE,)), device=device, rights=frozenset({Right.ECHO}))[0][0] == BY_USER


@pytest.mark.parametrize(
    ("rights", "scu", "scp"),
    [
        (EVERY_RIGHT, True, True),
        (EVERY_RIGHT - {Right.STORE}, False, True),
        (EVERY_RIGHT - {Right.RETRIEVE}, True, False),
    ],
)
def test_roles_follow_the_rights(rights, scu, scp):
    roles = (RoleSelection(CT, scu=True, scp=True),)
    accepted = negotiated((CT, (uids.IMPLICIT_VR_LE,)), rights=rights, roles=roles)
    assert accepted.user.roles == (RoleSelection(CT, scu, scp),)
    assert accepted.contexts[0].result == ACCEPTED


def test_who_may_only_retrieve_gets_storage_contexts_for_the_scp_role_alone():
    rights = frozenset({Right.RETRIEVE})
    assert results((CT, (uids.IMPLICIT_VR_LE,)), rights=rights)[0][0] == BY_USER
    scu = negotiated((CT, (uids.IMPLICIT_VR_LE,)), rights=rights, roles=(RoleSelection(CT, scu=True, scp=False),))
    assert scu.contexts[0].result == BY_USER


def test_nobody_becomes_scp_of_a_query_service():
    roles = (RoleSelection(uids.STUDY_ROOT_FIND, scu=True, scp=True),)
    accepted = negotiated((uids.STUDY_ROOT_FIND, (uids.IMPLICIT_VR_LE,)), roles=roles)
    assert accepted.user.roles == (RoleSelection(uids.STUDY_ROOT_FIND, scu=True, scp=False),)


@pytest.mark.parametrize(
    ("sop_class", "asked", "agreed"),
    [
        (uids.STUDY_ROOT_FIND, b"\1", b"\1"),
        (uids.STUDY_ROOT_FIND, b"\0", b"\0"),
        (uids.PATIENT_ROOT_FIND, b"\1\1\1\1\1\1", b"\1\1\0\1\0\0"),
        (uids.STUDY_ROOT_FIND, b"\0\1\0", b"\0\1\0"),
        (uids.STUDY_ROOT_FIND, b"\2\377\1", b"\0\0\0"),
        (uids.STUDY_ROOT_MOVE, b"\1\1", b"\1\0"),
        (uids.PATIENT_ROOT_GET, b"\1", b"\1"),
        (CT, b"\2\0\0", b"\2\0\3\0\0\0"),
    ],
)
def test_of_the_extensions_what_is_done_is_agreed_to(sop_class, asked, agreed):
    """Relational queries, combined date-time, zones; every attribute of an object kept, its signatures too."""
    accepted = negotiated((sop_class, (uids.IMPLICIT_VR_LE,)), extended=(ExtendedNegotiation(sop_class, asked),))
    assert accepted.user.extended == (ExtendedNegotiation(sop_class, agreed),)


def test_extensions_of_unknown_classes_and_of_echo_are_not_answered():
    extended = (ExtendedNegotiation("1.2.3.4", b"\1"), ExtendedNegotiation(uids.VERIFICATION, b"\1"))
    assert negotiated((uids.VERIFICATION, (uids.IMPLICIT_VR_LE,)), extended=extended).user.extended == ()


def test_combined_date_time_holds_for_the_class_that_asked():
    user = UserInformation(16384, "1.2.3", extended=(ExtendedNegotiation(uids.STUDY_ROOT_FIND, b"\0\1"),))
    asked = AssociateRQ("ARCHIVE", "CT", (), user)
    assert combines_date_time(asked, uids.STUDY_ROOT_FIND)
    assert not combines_date_time(asked, uids.PATIENT_ROOT_FIND)
    assert not combines_date_time(None, uids.STUDY_ROOT_FIND)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.5"])
def test_queries_have_no_compressed_syntax(syntax):
    assert results((uids.STUDY_ROOT_FIND, (syntax,)))[0][0] == NO_SYNTAX
    taken = results((uids.STUDY_ROOT_FIND, (syntax, uids.DEFLATED_EXPLICIT_VR_LE)))
    assert taken == [(ACCEPTED, uids.DEFLATED_EXPLICIT_VR_LE)]


def test_window_and_identity_are_answered_only_if_asked():
    plain = negotiated((CT, (uids.IMPLICIT_VR_LE,))).user
    assert (plain.asynchronous, plain.identity_response) == (None, None)
    identity = UserIdentity(1, True, b"somebody")
    asked = negotiated((CT, (uids.IMPLICIT_VR_LE,)), asynchronous=AsynchronousWindow(8, 8), identity=identity).user
    assert (asked.asynchronous, asked.identity_response) == (AsynchronousWindow(1, 1), b"")
    silent = UserIdentity(1, False, b"somebody")
    assert negotiated((CT, (uids.IMPLICIT_VR_LE,)), identity=silent).user.identity_response is None


def test_a_result_for_every_context_with_its_identifier():
    accepted = negotiated(*[(CT, (uids.IMPLICIT_VR_LE,)), ("1.2", (uids.IMPLICIT_VR_LE,))] * 64)
    assert [item.id for item in accepted.contexts] == list(range(1, 256, 2))
