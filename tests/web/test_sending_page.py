"""Sending a study to a device from its page: to who receives, watched by who asked, and journalled."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from archives import free_port, sink
from objects import CT, store_one, study_uid, uid, whole_study
from programs_support import Clock
from pynetdicom import AE, evt
from signed_in import client, signed_in

from leadglass.app.archive import Archive
from leadglass.app.job_files import MAX_FILES, JobFiles
from leadglass.core.accounts import Role
from leadglass.core.errors import LeadglassError
from leadglass.core.events import JournalEvent
from leadglass.core.jobs import JobState, SendJob
from leadglass.core.principal import SYSTEM, Right
from leadglass.core.tokens import Grant
from leadglass.services.sending import LOST, MAX_JOBS, Sending

SEND = f"/studies/{study_uid(1)}/send"


async def ended(http: httpx.AsyncClient, path: str, headers: dict[str, str]) -> str:
    """The page of a job that is over."""
    for _ in range(600):
        shown = await http.get(path, headers={**headers, "hx-request": "true"})
        if "hx-get" not in shown.text:
            return shown.text
        await asyncio.sleep(0.1)
    raise AssertionError("the job does not end")


async def test_a_failed_sending_is_told_and_journalled(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    await store_one(archive, 1)
    archive.state.put_device(sink("pacs", free_port()))
    who, other = (signed_in(archive, name, Role.ADMINISTRATOR) for name in ("rossi", "other"))
    events: list[JournalEvent] = []
    monkeypatch.setattr(archive.journal, "record", lambda event, **_: events.append(event))
    async with client(archive) as http:
        study = await http.get(f"/studies/{study_uid(1)}", headers=who.headers)
        assert "<option>pacs</option>" in study.text
        begun = await http.post(SEND, data={"device": "pacs"}, headers=who.changing)
        assert begun.status_code == 303
        path = begun.headers["location"]
        assert "Sending to pacs" in (await http.get(path, headers=who.headers)).text
        assert "failed: 0 of 1" in await ended(http, path, who.headers)
        assert (await http.get(path, headers=other.headers)).status_code == 404
        elsewhere = path.replace(study_uid(1), study_uid(2))
        assert (await http.get(elsewhere, headers=who.headers)).status_code == 404
    told = [event for event in events if event.what in ("sending-began", "sending-ended")]
    assert [(event.what, event.outcome.value) for event in told] == [("sending-began", 0), ("sending-ended", 8)]
    assert told[1].details["failed"] == 1 and told[1].details["device"] == "pacs"


async def test_a_study_arrives_at_the_device(archive: Archive) -> None:
    for number in (1, 2, 3):
        await store_one(archive, 1, number)
    came: list[str] = []

    def take(event: evt.Event) -> int:
        came.append(str(event.request.AffectedSOPInstanceUID))
        return 0xA700 if came[-1] == uid(1, 3) else 0

    entity, port = AE(ae_title="PACS"), free_port()
    entity.add_supported_context(CT)
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, take)])
    archive.state.put_device(sink("pacs", port))
    who = signed_in(archive, "rossi", Role.ADMINISTRATOR)
    try:
        async with client(archive) as http:
            begun = await http.post(SEND, data={"device": "pacs"}, headers=who.changing)
            over = await ended(http, begun.headers["location"], who.headers)
    finally:
        server.shutdown()  # type: ignore[union-attr]
    assert came == [uid(1, number) for number in (1, 2, 3)]
    assert "Done: 2 of 3" in over and "not taken: 1" in over


@pytest.mark.parametrize("change", [{"enabled": False}, {"listens": None}, {"rights": frozenset({Right.STORE})}])
async def test_only_who_receives_is_sent_to(archive: Archive, change: dict[str, object]) -> None:
    await store_one(archive, 1)
    archive.state.put_device(replace(sink("pacs", 9), **change))  # type: ignore[arg-type]
    who = signed_in(archive, "rossi", Role.ADMINISTRATOR)
    async with client(archive) as http:
        assert "<option>" not in (await http.get(f"/studies/{study_uid(1)}", headers=who.headers)).text
        for device in ("pacs", "", "nobody"):
            refused = await http.post(SEND, data={"device": device}, headers=who.changing)
            assert refused.status_code == 422 and "receives" in refused.text


async def test_only_what_is_within_reach_is_sent(archive: Archive) -> None:
    for number in (1, 2):
        await store_one(archive, number)
    archive.state.put_device(sink("pacs", 9))
    who = signed_in(archive, "rossi", Role.CLINICIAN)
    archive.state.put_grant(Grant("rossi", study_uid(2)))
    async with client(archive) as http:
        assert (await http.post(SEND, data={"device": "pacs"}, headers=who.changing)).status_code == 404


async def test_so_many_are_sent_at_a_time(archive: Archive) -> None:
    await store_one(archive, 1)
    archive.state.put_device(sink("pacs", 9))
    waits = asyncio.Event()

    class Slow:
        async def send(self, *_: object, **__: object):  # type: ignore[no-untyped-def]  # a stand-in
            await waits.wait()
            for result in ():
                yield result

    sending = Sending(
        archive.gate,
        archive.state,
        archive.journal,
        retrieve=archive.retrieve,
        sender=Slow(),  # type: ignore[arg-type]
        board=JobFiles(archive.home.lock.parent),
    )
    jobs = [await sending.begin(SYSTEM, whole_study(1), "pacs") for _ in range(MAX_JOBS)]
    with pytest.raises(LeadglassError):
        await sending.begin(SYSTEM, whole_study(1), "pacs")
    waits.set()
    for job in jobs:
        while sending.job(SYSTEM, job.identifier).state is JobState.RUNNING:
            await asyncio.sleep(0.01)


def test_a_job_of_which_nothing_is_heard_has_stopped(archive: Archive) -> None:
    clock = Clock()
    board = JobFiles(archive.home.lock.parent)
    board.put(SendJob("a" * 32, SYSTEM.name, "s", "pacs", 3, 1, seen=clock.ns()))
    sending = Sending(
        archive.gate,
        archive.state,
        archive.journal,
        retrieve=archive.retrieve,
        sender=None,  # type: ignore[arg-type]
        board=board,
        now=clock.ns,
    )
    assert sending.job(SYSTEM, "a" * 32).state is JobState.RUNNING
    clock.now += LOST // 10**9 + 1
    assert sending.job(SYSTEM, "a" * 32).state is JobState.STOPPED


def test_the_board_keeps_the_latest_and_takes_no_name_for_a_path(tmp_path: Path) -> None:
    board = JobFiles(tmp_path)
    for number in range(MAX_FILES + 3):
        board.put(SendJob(f"{number:032x}", "rossi", "s", "pacs", 1))
    assert len(list(tmp_path.glob("send-*.json"))) == MAX_FILES
    (tmp_path / "send-x.json").write_text("{}")
    (tmp_path / f"send-{'b' * 32}.json").write_text('{"state": "running"}')
    for name in ("../secret", "", "x", "b" * 32, "c" * 32, "A" * 32):
        assert board.get(name) is None
