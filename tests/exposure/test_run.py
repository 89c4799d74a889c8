"""A run ends within a moment when it is told to, keeps what it knows, and goes on after any end."""

import asyncio
import ipaddress
import json
import time
from dataclasses import replace

import pytest

from leadglass.exposure.facts import Answer, Fact
from leadglass.exposure.run import Run
from leadglass.exposure.run_journal import JournalError, RunJournal
from leadglass.exposure.scope import Pace, Scope
from leadglass.exposure.service import Service
from leadglass.exposure.site import Probe
from leadglass.exposure.streams import Reason, Unreachable
from leadglass.exposure.targets import Targets
from tests.exposure.made import observation
from tests.exposure.test_dialer import Peer, echo, silent

HEAD = {"id": "a", "seed": 1}


def scope(port, *networks, **pace):
    usual = {"per_host": 1e6, "total": 1e6, "concurrent": 8, "connect_timeout": 5, "probe_timeout": 20, **pace}
    now = time.time()
    return Scope(
        "t", "t", now - 1, now + 1000, tuple(map(ipaddress.ip_network, networks)), ports=(port,), pace=Pace(**usual)
    )


class Watch:
    def __init__(self):
        self.judgements = []
        self.moves = 0
        self.when = lambda: None

    def moved(self, progress):
        self.moves += 1

    def judged(self, result):
        self.judgements.append(result)
        self.when()


def probe_that(run):
    return Probe("fake", ("D01",), lambda facts: True, run)


async def yes(site):
    return [Fact("D01", Answer.YES)]


async def forever(site):
    stream = await site.connect(site.deadline())
    try:
        await stream.read()
    finally:
        stream.close()
    return [Fact("D01", Answer.YES)]


def run_of(permitted, journal, watch, probe, **more):
    return Run(
        permitted, Targets(permitted, seed=1, **more), journal, watch, now=time.time, probes=(probe_that(probe),)
    )


async def test_what_is_open_is_asked_and_what_is_closed_is_not(tmp_path):
    async with Peer(echo) as peer:
        watch = Watch()
        journal = RunJournal(tmp_path / "run", HEAD)
        outcome = await run_of(scope(peer.port, "127.0.0.0/28"), journal, watch, yes).run()
        assert outcome.complete
        assert [result.observation.service.address for result in outcome.results] == ["127.0.0.1"]
        assert outcome.progress.contacted == 16
        assert [result.observation.service for result in watch.judgements] == [Service("127.0.0.1", peer.port)]


async def test_the_kill_switch_keeps_what_is_known_and_the_next_run_asks_the_rest(tmp_path):
    async with Peer(silent) as peer:
        permitted = scope(peer.port, "127.0.0.1/32")
        journal = RunJournal(tmp_path / "run", HEAD)
        run = run_of(permitted, journal, Watch(), forever)
        running = asyncio.create_task(run.run())
        async with asyncio.timeout(20):
            while peer.at_once == 0:
                await asyncio.sleep(0.01)
            run.stop()
            outcome = await running
        assert not outcome.complete
        assert [fact.check for fact in outcome.results[0].observation.facts if fact.answer is Answer.UNKNOWN] == ["D01"]
        journal.close()
        again = RunJournal(tmp_path / "run", HEAD)
        assert again.pending == [Service("127.0.0.1", peer.port)]
        outcome = await run_of(permitted, again, Watch(), yes).run()
        assert outcome.complete
        assert outcome.results[0].assessment.rung.name == "PDU_ANSWERED"


async def test_a_permission_that_ends_meanwhile_ends_the_run(tmp_path):
    async with Peer(echo) as peer:
        permitted = replace(scope(peer.port, "127.0.0.0/24"), valid_until=time.time() - 0.5, valid_from=0)
        outcome = await run_of(permitted, RunJournal(tmp_path / "run", HEAD), Watch(), yes).run()
        assert not outcome.complete
        assert peer.met == 0


async def test_what_a_probe_cannot_reach_is_unknown_and_no_error(tmp_path):
    async def broken(site):
        raise Unreachable(Reason.TOO_MUCH)

    async with Peer(echo) as peer:
        outcome = await run_of(
            scope(peer.port, "127.0.0.1/32"), RunJournal(tmp_path / "run", HEAD), Watch(), broken
        ).run()
        (result,) = outcome.results
        assert result.assessment.untested == ("D01",)


def test_a_line_that_was_cut_off_is_written_again_and_another_runs_journal_is_refused(tmp_path):
    path = tmp_path / "run"
    journal = RunJournal(path, HEAD)
    one = observation(Fact("D01", Answer.YES))
    journal.observed(one)
    journal.reached(5, 5, 1)
    journal.close()
    whole = path.read_bytes()
    for cut in range(len(whole.split(b"\n", 1)[0]) + 1, len(whole)):
        path.write_bytes(whole[:cut])
        again = RunJournal(path, HEAD)
        again.found(Service("192.0.2.9", 104))
        again.close()
        assert RunJournal(path, HEAD).open.keys() >= {Service("192.0.2.9", 104)}
    path.write_bytes(whole)
    assert RunJournal(path, HEAD).observations == {one.service: one}
    assert RunJournal(path, HEAD).position == 5
    with pytest.raises(JournalError, match="another"):
        RunJournal(path, {**HEAD, "seed": 2})
    path.write_bytes(whole.replace(b'"position":5', b'"position":'))
    with pytest.raises(JournalError, match="damaged"):
        RunJournal(path, HEAD)
    assert (tmp_path / "run").stat().st_mode & 0o077 == 0


def test_the_journal_is_lines_of_json(tmp_path):
    journal = RunJournal(tmp_path / "run", HEAD)
    journal.observed(observation(Fact("D06", Answer.YES, "", {"status": 0})))
    journal.close()
    assert [list(json.loads(line)) for line in (tmp_path / "run").read_text().splitlines()] == [
        ["head"],
        ["observation"],
    ]
