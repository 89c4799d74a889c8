"""Overview, processes, safety and storage: what is wrong is shown, what is shown cannot be changed here."""

from __future__ import annotations

import re
import time
from dataclasses import replace

import pytest
from objects import data_set, encoded, store, store_one, study_uid, uid, whole_study
from signed_in import Somebody, client, signed_in

from leadglass.app.archive import Archive
from leadglass.core.accounts import Role
from leadglass.core.events import EventKind, JournalEvent
from leadglass.core.principal import SYSTEM
from leadglass.core.standing import (
    ArchiveStanding,
    CertificateStanding,
    ListenerStanding,
    OverrideStanding,
    ProcessStanding,
    Reached,
    RiskStanding,
    Room,
)
from leadglass.web.pages.administration.chart import HEIGHT, bars

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
WELL = ArchiveStanding(True, (), (), (), (), (), Room(1000, 500), ("LEADGLASS",), "nmap")


@pytest.fixture
def admin(archive: Archive) -> Somebody:
    return signed_in(archive, "admin", Role.ADMINISTRATOR)


async def shown(archive: Archive, who: Somebody, path: str, language: str = "en") -> str:
    async with client(archive) as http:
        answer = await http.get(path, headers={**who.headers, "accept-language": language})
    assert answer.status_code == 200, answer.text
    return answer.text


def stands(archive: Archive, monkeypatch: pytest.MonkeyPatch, **changes: object) -> None:
    """From now on the archive stands like this."""
    made = replace(WELL, **changes)  # type: ignore[arg-type]
    monkeypatch.setattr(archive.oversight._watch, "look", lambda: made)


async def test_nothing_is_said_where_nothing_is_wrong(
    archive: Archive, admin: Somebody, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands(archive, monkeypatch)
    assert "Nothing needs you now" in await shown(archive, admin, "/administration")
    assert "Ora nulla richiede" in await shown(archive, admin, "/administration", "it")


SHUT = ListenerStanding("h:1", "dicom", tls=True, open=False, reached=Reached.MACHINE, closed="no process serves it")
TROUBLES = {
    "The disk is nearly full": {"room": Room(1000, 100)},
    "a risk. a mend.": {"risks": (RiskStanding("r", "a risk.", "a mend."),)},
    "no process serves it": {"listeners": (SHUT,)},
    "ended on 2026-01-01": {"certificates": (CertificateStanding("device", "ct", "2026-01-01", expired=True),)},
    "ends on 2026-12-31": {"certificates": (CertificateStanding("device", "ct", "2026-12-31", expired=False),)},
    "web 1 cannot write the journal": {"processes": (ProcessStanding("web 1", 7, journal_writable=False),)},
    "ends in 3 days": {"overrides": (OverrideStanding("plain-http", "", "why", "2026-12-01", 3),)},
}


@pytest.mark.parametrize("sentence", TROUBLES)
async def test_what_is_wrong_is_said(
    archive: Archive, admin: Somebody, monkeypatch: pytest.MonkeyPatch, sentence: str
) -> None:
    stands(archive, monkeypatch, **TROUBLES[sentence])
    assert sentence in await shown(archive, admin, "/administration")


async def test_broken_glass_and_refused_callers_of_a_week_are_said(
    archive: Archive, admin: Somebody, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands(archive, monkeypatch)
    event = JournalEvent(EventKind.SECURITY_ALERT, "glass-broken", "rossi", details={"reason": HOSTILE})
    refusal = {"reason": "unknown-address", "title": "X", "hint": "", "tls": 0}
    for what in (event, replace(event, what="association-refused", address="10.1.1.1", details=refusal)):
        archive.journal.record(what, durable=True)
    text = await shown(archive, admin, "/administration")
    assert "Glass broken" in text and "by rossi" in text and "&lt;script&gt;" in text and "<script>alert" not in text
    assert "Refused calls: 1, of 1 kinds" in text
    monkeypatch.setattr(archive.oversight, "_now", lambda: time.time_ns() + 8 * 24 * 3600 * 10**9)
    assert "Glass broken" not in await shown(archive, admin, "/administration")


async def test_the_safety_page_shows_the_real_archive_and_changes_nothing(archive: Archive, admin: Somebody) -> None:
    text = await shown(archive, admin, "/administration/safety")
    assert "this machine" in text and "running-as-root" in text and "nmap" in text
    area = text[text.index('class="page"') :]
    assert "<form" not in area and "<button" not in area and "<input" not in area
    assert "questa macchina" in await shown(archive, admin, "/administration/safety", "it")


async def test_who_can_reach_a_listener_is_said(
    archive: Archive, admin: Somebody, monkeypatch: pytest.MonkeyPatch
) -> None:
    listeners = tuple(
        ListenerStanding(
            HOSTILE + reached.value, "viewer", tls=True, open=True, reached=reached, asks="require", until="2027-01-01"
        )
        for reached in Reached
    )
    overrides = (OverrideStanding(HOSTILE, HOSTILE, HOSTILE, "2026-12-01", 3),)
    stands(archive, monkeypatch, listeners=listeners, overrides=overrides)
    text = await shown(archive, admin, "/administration/safety")
    for words in ("this machine", "its network", "the internet, if nothing", "must show a certificate", "2027-01-01"):
        assert words in text
    assert "<script>alert" not in text and "<img src=x" not in text and text.count("&lt;script&gt;") == 6


async def test_processes_say_what_they_count(
    archive: Archive, admin: Somebody, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "No process" in await shown(archive, admin, "/administration/jobs")
    process = ProcessStanding("DICOM", 4711, "1.0", "2026-11-25 08:00 UTC", {"associations": 1234, "refused": 5})
    stands(archive, monkeypatch, processes=(process,))
    text = await shown(archive, admin, "/administration/jobs")
    assert "4711" in text and "1\u202f234" in text and "2026-11-25 08:00 UTC" in text


async def test_a_deleted_study_comes_back(archive: Archive, admin: Somebody) -> None:
    await store_one(archive, 1)
    archive.trash.delete(SYSTEM, whole_study(1), HOSTILE)
    text = await shown(archive, admin, "/administration/storage")
    assert study_uid(1) in text and "&lt;script&gt;" in text and "<script>alert" not in text
    async with client(archive) as http:
        path = "/administration/storage/undelete"
        missing = await http.post(path, data={"study": "1.2.3"}, headers=admin.changing)
        answer = await http.post(path, data={"study": study_uid(1)}, headers=admin.changing)
    assert missing.status_code == 404
    assert "The study is back" in await shown(archive, admin, answer.headers["location"])
    assert archive.state.trash() == []


async def test_a_flood_of_refusals_hides_no_broken_glass(
    archive: Archive, admin: Somebody, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leadglass.services.oversight._MOST", 3)
    stands(archive, monkeypatch)
    archive.journal.record(JournalEvent(EventKind.SECURITY_ALERT, "glass-broken", "rossi", details={"reason": "why"}))
    for number in range(20):
        event = JournalEvent(EventKind.SECURITY_ALERT, "association-refused", "", f"10.1.1.{number}")
        archive.journal.record(event)
    assert "Glass broken" in await shown(archive, admin, "/administration")


async def test_hostile_patients_in_conflict_stay_text(
    archive: Archive, admin: Somebody, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [
        {"kind": "patient", "study_uid": "1.2", "issuer": HOSTILE, "patient_id": HOSTILE},
        {
            "kind": "version",
            "sop_instance_uid": HOSTILE,
            "version": 2,
            "study_uid": HOSTILE,
            "series_uid": "",
            "received_at": 1,
        },
    ]
    monkeypatch.setattr(type(archive.catalog), "conflicts", lambda _: found * 300)
    text = await shown(archive, admin, "/administration/storage")
    assert text.count("&lt;script&gt;") == 400 and "<script>alert" not in text and "<img src=x" not in text
    assert "and 400 more" in text


async def test_conflicts_and_what_came_are_shown(archive: Archive, admin: Somebody) -> None:
    assert "There is none." in await shown(archive, admin, "/administration/storage")
    await store_one(archive, 1)
    changed = data_set(1)
    changed.PatientComments = "another"
    await store(archive, encoded(changed), uid(1, 1))
    text = await shown(archive, admin, "/administration/storage")
    assert "another object under a known UID" in text and "un altro oggetto" in await shown(
        archive, admin, "/administration/storage", "it"
    )
    assert text.count('class="bar"') == 1 and time.strftime("%Y-%m-%d", time.gmtime()) in text


def test_bars_stand_for_their_days() -> None:
    made = bars([(100, 2, 50), (98, 1, 100), (97, 5, 0), (3, 9, 10_000)], 100, 4)
    assert [(bar.instances, bar.size) for bar in made] == [(5, 0), (1, 100), (0, 0), (2, 50)]
    assert [bar.day for bar in made] == ["1970-04-08", "1970-04-09", "1970-04-10", "1970-04-11"]
    assert [bar.height > 0 for bar in made] == [True, True, False, True]
    assert all(0 <= bar.height <= HEIGHT and bar.y + bar.height == HEIGHT for bar in made)
    assert re.fullmatch(r"[\d.]+", str(made[0].x))
