"""The journal's pages: found what is there, in pages, as files; a verification that tells of tampering."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from signed_in import Somebody, client, signed_in

from leadglass.app.archive import Archive
from leadglass.core.accounts import Role
from leadglass.core.audit import EVERYTHING
from leadglass.core.events import EventKind, JournalEvent, Outcome
from leadglass.core.principal import SYSTEM
from leadglass.services.journal_reading import VERIFYING

HOSTILE = "=cmd|'/C calc'!A0<script>alert(1)</script>\"'\u202e\r\n"


@pytest.fixture
def auditor(archive: Archive) -> Somebody:
    return signed_in(archive, "audit", Role.AUDITOR)


def note(archive: Archive, what: str, **changes: object) -> None:
    archive.journal.record(replace(JournalEvent(EventKind.QUERY, what, "ct", "192.0.2.1"), **changes))  # type: ignore[arg-type]


async def test_it_is_searched_by_what_when_who_and_how_it_went(archive: Archive, auditor: Somebody) -> None:
    note(archive, "searched-one")
    note(archive, "searched-two", principal="mr", outcome=Outcome.SERIOUS_FAILURE, details={"study_uid": "1.2.3.4"})
    found = {
        "": {"searched-one", "searched-two"},
        "?kind=query&principal=ct": {"searched-one"},
        "?principal=c": set(),
        "?outcome=failure": {"searched-two"},
        "?outcome=success&kind=query": {"searched-one"},
        "?text=1.2.3.4": {"searched-two"},
        "?text=SEARCHED-ONE": {"searched-one"},
        "?since=2020-01-01": {"searched-one", "searched-two"},
        "?until=2020-01-01": set(),
    }
    async with client(archive) as http:
        for query, whats in found.items():
            answer = await http.get(f"/journal{query}", headers=auditor.headers)
            assert answer.status_code == 200
            assert set(re.findall(r"<strong>(searched-\w+)</strong>", answer.text)) == whats, query
        italian = await http.get("/journal", headers={**auditor.headers, "accept-language": "it"})
    assert "Registro" in italian.text and "Ricerca" in italian.text


@pytest.mark.parametrize(
    "query", ["since=yesterday", "since=2026-01-02&until=2026-01-01", "kind=x", "text=" + "y" * 999]
)
async def test_a_search_that_is_wrong_keeps_what_was_typed(archive: Archive, auditor: Somebody, query: str) -> None:
    async with client(archive) as http:
        answer = await http.get(f"/journal?{query}&principal=somebody", headers=auditor.headers)
        away = await http.get(f"/journal/export?{query}&form=csv", headers=auditor.headers)
    assert answer.status_code == 422 and 'role="alert"' in answer.text and 'value="somebody"' in answer.text
    assert away.status_code == 303 and away.headers["location"].startswith("/journal?")


async def test_pages_show_every_entry_once(
    archive: Archive, auditor: Somebody, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leadglass.web.pages.journal.ON_A_PAGE", 7)
    for number in range(20):
        note(archive, f"searched-{number}")
    seen: list[str] = []
    where = "/journal?kind=query"
    async with client(archive) as http:
        while where:
            text = (await http.get(where, headers=auditor.headers)).text
            seen += re.findall(r"<strong>searched-(\d+)</strong>", text)
            onward = re.search(r'rel="next" href="([^"]+)"', text)
            where = onward[1].replace("&amp;", "&") if onward else ""
    assert seen == [str(number) for number in reversed(range(20))]


@pytest.mark.parametrize("before", ["x", "1", "1.zz.3", "-", "1" * 5000, "1.00.", "\u0663.00.1"])
async def test_a_place_that_was_not_made_here_means_the_beginning(
    archive: Archive, auditor: Somebody, before: str
) -> None:
    async with client(archive) as http:
        assert (await http.get("/journal", params={"before": before}, headers=auditor.headers)).status_code == 200


async def test_what_peers_chose_stays_text(archive: Archive, auditor: Somebody) -> None:
    note(archive, HOSTILE, principal=HOSTILE, address=HOSTILE, details={HOSTILE: HOSTILE})
    async with client(archive) as http:
        text = (await http.get("/journal", params={"text": HOSTILE}, headers=auditor.headers)).text
        table = (await http.get("/journal/export?form=csv&kind=query", headers=auditor.headers)).text
    assert "&lt;script&gt;" in text and "<script>alert" not in text
    row = next(csv.DictReader(io.StringIO(table)))
    assert row["what"].startswith("'=cmd") and row["principal"].startswith("'=cmd")


async def test_it_is_taken_away_in_three_forms(archive: Archive, auditor: Somebody) -> None:
    for number in range(450):
        note(archive, f"searched-{number}")
    async with client(archive) as http:

        async def away(form: str) -> str:
            answer = await http.get(f"/journal/export?kind=query&form={form}", headers=auditor.headers)
            assert answer.headers["content-disposition"].startswith('attachment; filename="journal-')
            assert answer.headers["content-disposition"].endswith(f'.{form}"')
            return answer.text

        whats = [f"searched-{number}" for number in range(450)]
        assert [json.loads(line)["what"] for line in (await away("jsonl")).splitlines()] == whats
        assert [row["what"] for row in csv.DictReader(io.StringIO(await away("csv")))] == whats
        messages = ElementTree.fromstring((await away("xml")).encode())
        assert len(messages.findall("AuditMessage")) == 450
        assert (await http.get("/journal/export?form=exe", headers=auditor.headers)).status_code == 303
    archive.journal.flush()
    page = archive.journal_reading.page(SYSTEM, replace(EVERYTHING, text="journal-exported"), 10)
    assert [entry.event.principal for entry in page.entries] == ["audit"] * 3


async def finished(archive: Archive, auditor: Somebody) -> str:
    """What the page says once the verification at work has ended."""
    async with client(archive) as http:
        begun = await http.post("/journal/verify", headers={**auditor.changing, "hx-request": "true"})
        assert begun.status_code == 200 and 'id="verification"' in begun.text and "<html" not in begun.text
        work = archive.journal_reading.at_work
        assert work is not None
        work.join(60)
        answer = await http.get("/journal/verification", headers={**auditor.headers, "hx-request": "true"})
        assert "hx-trigger" not in answer.text
        assert (await http.get("/journal/verification", headers=auditor.headers)).status_code == 303
        return answer.text


async def test_it_is_verified_in_the_background(archive: Archive, auditor: Somebody) -> None:
    async with client(archive) as http:
        assert "never verified" in (await http.get("/journal", headers=auditor.headers)).text
    text = await finished(archive, auditor)
    assert "Whole and unchanged" in text and "by audit" in text


async def test_a_verification_tells_of_tampering(archive: Archive, auditor: Somebody) -> None:
    note(archive, "searched")
    archive.journal.flush()
    path = max(archive.home.journal.glob("*.journal"), key=lambda item: item.stat().st_size)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    text = await finished(archive, auditor)
    assert "Problems found" in text and path.name in text


async def test_an_export_tells_of_damage(archive: Archive, auditor: Somebody) -> None:
    for number in range(50):
        note(archive, f"searched-{number}")
    archive.journal.flush()
    path = max(archive.home.journal.glob("*.journal"), key=lambda item: item.stat().st_size)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    async with client(archive) as http:
        for form in ("jsonl", "csv", "xml"):
            text = (await http.get(f"/journal/export?form={form}", headers=auditor.headers)).text
            assert "damaged" in text and path.name in text
        assert len(ElementTree.fromstring(text.encode())) > 20
        assert "Damaged:" in (await http.get("/journal", headers=auditor.headers)).text


async def test_progress_is_told_while_it_works(archive: Archive, auditor: Somebody) -> None:
    archive.state.put_setting(VERIFYING, json.dumps([time.time_ns(), 3, 8]))  # another process is at it
    async with client(archive) as http:
        text = (await http.get("/journal", headers=auditor.headers)).text
        again = await http.post("/journal/verify", headers=auditor.changing)
    assert "3 of 8 files" in text and 'hx-get="/journal/verification"' in text
    assert again.status_code == 303 and archive.journal_reading.at_work is None
    archive.state.put_setting(VERIFYING, json.dumps([1, 3, 8]))  # it ended with its process
    async with client(archive) as http:
        assert "3 of 8 files" not in (await http.get("/journal", headers=auditor.headers)).text
