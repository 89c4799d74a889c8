"""Every error has a status on every service, and sub-operations are counted as PS3.7 says."""

import pytest

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.scp.operations import Tally
from leadglass.scp.statuses import MAX_ERROR_COMMENT, QUERY, RETRIEVE, comment_of
from leadglass.wire.dimse.failures import STORE, status_of
from leadglass.wire.dimse.status import StatusKind, kind_of

STORE_STATUSES = {
    ErrorCode.NOT_AUTHORISED: 0x0124,
    ErrorCode.INVALID_UID: 0x0117,
    ErrorCode.IDENTITY_MISMATCH: 0xA900,
    ErrorCode.UNPARSABLE: 0xC000,
    ErrorCode.MISSING_UID: 0xC000,
    ErrorCode.DUPLICATE_REFUSED: 0xC001,
    ErrorCode.OUT_OF_RESOURCES: 0xA700,
    ErrorCode.UNAVAILABLE: 0xA700,
    ErrorCode.TOO_LARGE: 0xA700,
    ErrorCode.UNSUPPORTED: 0x0122,
}
QUERY_STATUSES = {
    ErrorCode.NOT_AUTHORISED: 0x0124,
    ErrorCode.TOO_MANY_MATCHES: 0xA700,
    ErrorCode.OUT_OF_RESOURCES: 0xA700,
    ErrorCode.INVALID_QUERY: 0xA900,
    ErrorCode.UNPARSABLE: 0xC000,
    ErrorCode.CANCELLED: 0xFE00,
}
RETRIEVE_STATUSES = QUERY_STATUSES | {
    ErrorCode.UNKNOWN_DESTINATION: 0xA801,
    ErrorCode.DESTINATION_UNREACHABLE: 0xA702,
    ErrorCode.CANNOT_CONVERT: 0xA702,
}


@pytest.mark.parametrize(
    ("table", "expected"), [(STORE, STORE_STATUSES), (QUERY, QUERY_STATUSES), (RETRIEVE, RETRIEVE_STATUSES)]
)
def test_errors_of_the_standard_have_its_statuses(table, expected):
    assert {code: status_of(LeadglassError(code, "x"), table) for code in expected} == expected


@pytest.mark.parametrize("table", [STORE, QUERY, RETRIEVE])
@pytest.mark.parametrize("code", ErrorCode)
def test_every_error_is_told_as_a_failure(table, code):
    kind = kind_of(status_of(LeadglassError(code, "x"), table))
    assert kind is (StatusKind.CANCEL if code is ErrorCode.CANCELLED else StatusKind.FAILURE)


@pytest.mark.parametrize("text", ["", "x" * 200, "Grüße " * 20, "短い"])
def test_a_comment_is_ascii_of_64_characters(text):
    comment = comment_of(LeadglassError(ErrorCode.INTERNAL, text))
    assert comment.isascii()
    assert len(comment) == min(len(text), MAX_ERROR_COMMENT)


def test_a_tally_counts_each_sub_operation_once():
    tally = Tally(remaining=5)
    for number, code in enumerate((0x0000, 0xB000, 0xA700, 0x0000, 0xC000)):
        tally.count(str(number), code)
    assert (tally.remaining, tally.completed, tally.warning, tally.failed) == (0, 2, 1, 2)
    assert tally.failed_uids == ["2", "4"]


@pytest.mark.parametrize("code", [0xB000, 0xB006, 0xB007, 0x0107, 0x0116])
def test_warnings_are_no_failures(code):
    tally = Tally(remaining=1)
    tally.count("1", code)
    assert (tally.warning, tally.failed) == (1, 0)
