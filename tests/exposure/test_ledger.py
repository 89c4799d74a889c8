"""The ledger gives back what was put in, and two audits say what became of each service."""

import sqlite3

import pytest

from leadglass.exposure.changes import Kind, changes
from leadglass.exposure.facts import Fact
from leadglass.exposure.ledger import Ledger, LedgerError, Notice
from leadglass.exposure.notify.states import after_audit, due, moved
from tests.exposure.made import YES, audit, open_archive, result, shut, silent


def test_what_is_recorded_comes_back(tmp_path):
    ledger = Ledger(tmp_path / "below" / "ledger.sqlite")
    first = audit(open_archive(), shut("192.0.2.2"), result(Fact("W00", YES), address="2001:db8::1", name="a.example"))
    ledger.record(first)
    ledger.record(first)
    again = Ledger(tmp_path / "below" / "ledger.sqlite")
    assert again.audit(first.id) == first
    assert [(head.id, head.services) for head in again.audits()] == [(first.id, 3)]
    assert (tmp_path / "below" / "ledger.sqlite").stat().st_mode & 0o077 == 0
    with pytest.raises(KeyError):
        again.audit("20200101T000000Z-0000")


def test_a_later_versions_file_and_another_file_are_refused(tmp_path):
    later = tmp_path / "later.sqlite"
    Ledger(later)
    db = sqlite3.connect(later)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(LedgerError, match="later"):
        Ledger(later)
    other = tmp_path / "other.sqlite"
    other.write_bytes(b"no database at all, and long enough to be looked at" * 40)
    with pytest.raises(LedgerError, match="not a ledger"):
        Ledger(other)


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (None, open_archive(), Kind.NEW),
        (shut(), open_archive(), Kind.NEW),
        (open_archive(), open_archive(), Kind.STILL_OPEN),
        (open_archive(), shut(), Kind.CLOSED),
        (open_archive(), None, Kind.CLOSED),
        (open_archive(), silent(), Kind.UNKNOWN),
        (open_archive(studies=0, images=0), open_archive(), Kind.WORSE),
        (open_archive(), open_archive(studies=0, images=0), Kind.BETTER),
        (shut(), shut(), None),
    ],
)
def test_what_became_of_a_service(before, after, kind):
    older = audit(*filter(None, [before]))
    newer = audit(*filter(None, [after]), name="20260201T000000Z-0002")
    assert [change.kind for change in changes(older, newer)] == ([kind] if kind else [])


def test_a_run_that_was_stopped_closes_nothing():
    newer = audit(name="20260201T000000Z-0002", complete=False)
    assert [change.kind for change in changes(audit(open_archive()), newer)] == [Kind.UNKNOWN]


def test_what_was_open_before_and_is_again_was_reopened():
    first, second = audit(open_archive()), audit(shut(), name="20260201T000000Z-0002")
    third = audit(open_archive(), name="20260301T000000Z-0003")
    assert [change.kind for change in changes(second, third, earlier=(first,))] == [Kind.REOPENED]


def test_what_turns_up_elsewhere_with_the_same_marks_has_moved_and_two_alike_have_not():
    mark = Fact("M01", YES, "", {"implementation_class": "1.2.3", "implementation_version": "X_1"})

    def marked(address):
        archive = open_archive(address)
        return result(*archive.observation.facts[1:], mark, address=address)

    one = changes(audit(marked("192.0.2.1")), audit(marked("192.0.2.9"), name="20260201T000000Z-0002"))
    assert [(change.kind, change.service.address) for change in one] == [(Kind.MOVED, "192.0.2.9")]
    two = changes(
        audit(marked("192.0.2.1")),
        audit(marked("192.0.2.8"), marked("192.0.2.9"), name="20260201T000000Z-0002"),
    )
    assert sorted(change.kind for change in two) == [Kind.CLOSED, Kind.NEW, Kind.NEW]


def notice(state="sent", services=("192.0.2.1:104",), changed=0.0):
    return Notice("Owner", "20260101T000000Z-0001", state, changed, services)


def test_the_next_audit_says_what_was_fixed():
    assert [found.state for found in after_audit([notice()], audit(shut()))] == ["fixed"]
    assert after_audit([notice()], audit(open_archive())) == []
    assert after_audit([notice()], audit(silent())) == []
    assert after_audit([notice()], audit(shut(), complete=False)) == []
    assert [found.state for found in after_audit([notice("fixed")], audit(open_archive()))] == ["drafted"]


def test_states_follow_one_another_and_reminders_come_due():
    assert moved(notice("drafted"), "sent", 5.0).changed == 5.0
    with pytest.raises(ValueError, match="cannot"):
        moved(notice("drafted"), "answered", 5.0)
    with pytest.raises(ValueError, match="cannot"):
        moved(notice("sent"), "closed", 5.0)
    day = 86400
    assert due([notice()], 13 * day) == []
    assert due([notice()], 14 * day) == [notice()]
    assert due([notice("answered")], 99 * day) == []
