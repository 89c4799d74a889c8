"""Reader filters, the access ledger, repeated events, audit messages."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from leadglass.core.audit import JournalEntry, JournalFilter
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent, Outcome
from leadglass.journal.access_ledger import AccessLedger
from leadglass.journal.audit_messages import EVENT_IDS, AuditSource, audit_message
from leadglass.journal.codec import decode_event, encode_event, entry_to_dict
from leadglass.journal.reader import read_journal
from leadglass.journal.repeats import MAX_KEYS, RepeatedEvents
from leadglass.journal.writer import ChainedJournal

from .conftest import KEY, START, Clock

Make = Callable[..., JournalEvent]
Open = Callable[..., ChainedJournal]


class ListJournal:
    """core.ports.Journal that keeps events in a list."""

    def __init__(self) -> None:
        self.events: list[tuple[JournalEvent, bool]] = []
        self.writable = True
        self.hold = threading.Event()
        self.hold.set()

    def record(self, event: JournalEvent, *, durable: bool = False) -> None:
        if durable:
            self.hold.wait(10)
            if not self.writable:
                raise LeadglassError(ErrorCode.UNAVAILABLE, "not now")
        self.events.append((event, durable))

    def whats(self) -> list[str]:
        return [event.what for event, _ in self.events]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (JournalFilter(), [0, 1, 2, 3]),
        (JournalFilter(kinds=frozenset({EventKind.NETWORK_ENTRY})), [1]),
        (JournalFilter(principal="ct2"), [2]),
        (JournalFilter(since=START + 1_000_000_000, until=START + 3_000_000_000), [1, 2]),
        (JournalFilter(text="NEEDLE"), [3]),
        (JournalFilter(text="EVENT 2"), [2]),
    ],
)
def test_filters(
    open_journal: Open, event: Make, directory: Path, clock: Clock, wanted: JournalFilter, expected: list[int]
) -> None:
    journal = open_journal(file_size=400)
    journal.record(event(0), durable=True)
    clock.advance(1)
    journal.record(event(1, kind=EventKind.NETWORK_ENTRY), durable=True)
    clock.advance(1)
    journal.record(event(2, principal="ct2"), durable=True)
    clock.advance(1)
    journal.record(event(3, details={"x": "a needle here"}), durable=True)
    assert [entry.event.what for entry in read_journal(directory, KEY, wanted)] == [f"event {n}" for n in expected]


def test_the_json_form_is_stable(event: Make) -> None:
    entry = JournalEntry(START + 1_500, event(1, outcome=Outcome.MINOR_FAILURE, details={"n": 1}), b"\xab", 7)
    assert json.loads(json.dumps(entry_to_dict(entry))) == {
        "time": "2026-09-21T14:13:20.000001Z",
        "kind": "query",
        "what": "event 1",
        "principal": "ct1",
        "address": "",
        "outcome": "minor-failure",
        "details": {"n": 1},
        "file": "ab",
        "sequence": 7,
    }


@pytest.mark.parametrize("encoded", [b"", b"{}", b"[]", b'{"t":1,"k":"no"}', b"\xff"])
def test_what_is_no_event_is_damage(encoded: bytes) -> None:
    with pytest.raises(LeadglassError):
        decode_event(encoded, b"", 1)


def test_one_durable_event_per_principal_study_and_five_minutes_closed_with_its_count(clock: Clock) -> None:
    journal = ListJournal()
    ledger = AccessLedger(journal, clock.ticks)
    for _ in range(3):
        ledger.begin("ws1", "10.0.0.1", "1.2")
        ledger.note("ws1", "10.0.0.1", "1.2", 5)
    ledger.begin("ws1", "10.0.0.1", "1.3")
    ledger.begin("ws2", "10.0.0.1", "1.2")
    assert [durable for _, durable in journal.events] == [True] * 3
    clock.advance(299)
    ledger.flush(clock.ticks())
    assert len(journal.events) == 3
    clock.advance(1)
    ledger.flush(clock.ticks())
    counts = {
        (event.principal, event.details["study_uid"]): event.details["instances"] for event, _ in journal.events[3:]
    }
    assert counts == {("ws1", "1.2"): 15, ("ws1", "1.3"): 0, ("ws2", "1.2"): 0}
    ledger.begin("ws1", "10.0.0.1", "1.2")
    assert journal.events[-1][0].what == "instances-access-begun"


def test_begin_closes_a_window_that_is_over_and_opens_another(clock: Clock) -> None:
    journal = ListJournal()
    ledger = AccessLedger(journal, clock.ticks)
    ledger.begin("ws1", "", "1.2")
    clock.advance(301)
    assert not ledger.is_open("ws1", "", "1.2")
    ledger.begin("ws1", "", "1.2")
    assert journal.whats() == ["instances-access-begun", "instances-accessed", "instances-access-begun"]


def test_nothing_may_leave_when_the_event_cannot_be_written(clock: Clock) -> None:
    journal = ListJournal()
    journal.writable = False
    ledger = AccessLedger(journal, clock.ticks)
    with pytest.raises(LeadglassError):
        ledger.begin("ws1", "", "1.2")
    assert not ledger.is_open("ws1", "", "1.2")
    journal.writable = True
    ledger.begin("ws1", "", "1.2")
    assert ledger.is_open("ws1", "", "1.2")


def test_who_begins_meanwhile_waits_for_the_same_event(clock: Clock) -> None:
    journal = ListJournal()
    ledger = AccessLedger(journal, clock.ticks)
    journal.hold.clear()
    threads = [threading.Thread(target=ledger.begin, args=("ws1", "", "1.2")) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert not ledger.is_open("ws1", "", "1.2")
    journal.hold.set()
    for thread in threads:
        thread.join(10)
    assert journal.whats() == ["instances-access-begun"]


def test_a_reading_that_outlasts_its_window_goes_on_in_another(clock: Clock) -> None:
    journal = ListJournal()
    ledger = AccessLedger(journal, clock.ticks)
    ledger.begin("ws1", "", "1.2")
    clock.advance(301)
    ledger.flush(clock.ticks())
    ledger.note("ws1", "", "1.2", 2)
    ledger.note("ws1", "", "1.2", 2)
    ledger.close()
    assert journal.whats()[2:] == ["instances-access-continued", "instances-accessed"]
    assert journal.events[-1][0].details["instances"] == 4


def test_the_first_of_a_minute_is_written_the_rest_counted(clock: Clock, event: Make) -> None:
    journal = ListJournal()
    repeats = RepeatedEvents(journal, clock.ticks)
    for _ in range(100):
        repeats.record(event(1, address="10.0.0.1", details={"reason": "title"}))
    repeats.record(event(1, address="10.0.0.2", details={"reason": "title"}))
    repeats.record(event(1, address="10.0.0.1", details={"reason": "passcode"}))
    assert len(journal.events) == 3
    repeats.flush(clock.ticks())
    assert len(journal.events) == 3
    clock.advance(60)
    repeats.flush(clock.ticks())
    assert [one.details.get("further") for one, _ in journal.events] == [None, None, None, 99]
    repeats.record(event(1, address="10.0.0.1", details={"reason": "title"}))
    assert len(journal.events) == 5


def test_a_new_minute_without_flush_writes_the_old_count_first(clock: Clock, event: Make) -> None:
    journal = ListJournal()
    repeats = RepeatedEvents(journal, clock.ticks)
    repeats.record(event(1))
    repeats.record(event(1))
    clock.advance(60)
    repeats.record(event(1))
    assert [one.details.get("further") for one, _ in journal.events] == [None, 1, None]


def test_a_flood_from_many_addresses_is_bounded_in_memory_and_journal(clock: Clock, event: Make) -> None:
    journal = ListJournal()
    repeats = RepeatedEvents(journal, clock.ticks)
    for number in range(MAX_KEYS + 1000):
        repeats.record(event(1, address=str(number)))
    assert len(journal.events) == MAX_KEYS + 1
    repeats.close()
    assert journal.events[-1][0].details["further"] == 999


@pytest.mark.parametrize("kind", list(EventKind))
def test_every_kind_has_an_audit_message_after_the_schema(kind: EventKind, event: Make) -> None:
    made = event(1, kind=kind, address="10.0.0.9", details={"study_uid": "1.2.3", "instances": 4})
    xml = audit_message(JournalEntry(START, made, b"", 1), AuditSource("LEADGLASS", "North", "10.0.0.1"))
    message = ElementTree.fromstring(xml)
    names = [child.tag for child in message]
    assert names == [
        "EventIdentification",
        "ActiveParticipant",
        "ActiveParticipant",
        "AuditSourceIdentification",
        "ParticipantObjectIdentification",
    ]
    identification = message[0]
    assert identification.get("EventDateTime") == "2026-09-21T14:13:20.000000Z"
    assert identification.get("EventOutcomeIndicator") == "0"
    assert identification[0].get("csd-code") == EVENT_IDS[kind][0][0]
    assert message[1].get("NetworkAccessPointTypeCode") == "2"
    assert message[4].get("ParticipantObjectID") == "1.2.3"
    assert base64.b64decode(message[4].find("ParticipantObjectDetail").get("value")) == b"4"  # type: ignore[union-attr, arg-type]


def test_hostile_text_cannot_break_the_audit_message(event: Make) -> None:
    hostile = '"><x a="\x00\x1b\ud800]]>&\uffff'
    made = event(1, principal=hostile, address="h<ost", details={hostile: hostile})
    message = ElementTree.fromstring(audit_message(JournalEntry(START, made, b"", 1), AuditSource("L")))
    assert message[1].get("NetworkAccessPointTypeCode") == "1"
    assert message.find("x") is None


def test_events_survive_their_encoding(event: Make) -> None:
    made = event(1, outcome=Outcome.SERIOUS_FAILURE, address="::1", details={"a": "ü", "n": -1})
    assert decode_event(encode_event(made, 5), b"id", 3) == JournalEntry(5, made, b"id", 3)
