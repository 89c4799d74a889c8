"""Web listeners that fail while they run: noticed, told, opened again; renewals that fail are tried again."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import archives
import pytest
from starlette.types import Receive, Scope, Send
from web_tls import Given

from leadglass.app.certificates import Certificates, Shown, utc_now
from leadglass.app.config import Config, parse_config
from leadglass.app.retries import LONGEST
from leadglass.app.web_config import WebListener
from leadglass.app.web_doors import WebDoors
from leadglass.app.web_server import WebServer
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import JournalEvent

PLAIN = {"archive": {"ae_titles": ["A"]}, "keys": {"source": "file"}}


class Kept:
    """A journal, a clock, and the servers that were begun."""

    writable = True

    def __init__(self) -> None:
        self.events: list[JournalEvent] = []
        self.moment = 0.0
        self.servers: list[WebServer] = []
        self.refuse = 0  # servers that do not start

    def record(self, event: JournalEvent, *, durable: bool = False) -> None:
        self.events.append(event)

    def told(self) -> list[str]:
        return [event.what for event in self.events]

    async def begin(self, item: WebListener, door: object, shown: Shown | None) -> WebServer:
        if self.refuse:
            self.refuse -= 1
            raise LeadglassError(ErrorCode.UNAVAILABLE, f"The web listener {item.label} cannot listen.")
        self.servers.append(await WebServer.begin(item, door, shown))  # type: ignore[arg-type]
        return self.servers[-1]


class State:
    """Decisions that never change."""

    def rights_epoch(self) -> int:
        return 1


async def answers(scope: Scope, receive: Receive, send: Send) -> None:
    """A door that says ok."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def config_of(**table: object) -> Config:
    return parse_config({**PLAIN, "web": [table]})


@contextlib.asynccontextmanager
async def opened(config: Config, kept: Kept, certificates: Certificates) -> AsyncIterator[WebDoors]:
    doors = WebDoors(
        config.web, certificates, lambda rules: answers, kept, first=True, clock=lambda: kept.moment, begin=kept.begin
    )  # type: ignore[arg-type]
    await doors.open()
    try:
        yield doors
    finally:
        await doors.stop()


def plain_certificates(config: Config) -> Certificates:
    return Certificates(State(), b"", config)  # type: ignore[arg-type]


async def reached(port: int) -> bytes:
    """The first line of an answer; empty if there is none."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        line = await asyncio.wait_for(reader.readline(), 20)
    except OSError:
        return b""
    writer.close()
    return line


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.01)


def end_its_worker(server: WebServer) -> None:
    """As if Granian's worker had ended by itself."""
    server._server.wrks[0]._task.cancel()


async def test_a_server_that_dies_is_told_and_opened_again(caplog: pytest.LogCaptureFixture) -> None:
    config, kept = config_of(host="127.0.0.1", port=archives.free_port(), tls=False), Kept()
    port = config.web[0].port
    async with opened(config, kept, plain_certificates(config)) as doors:
        assert await reached(port) == b"HTTP/1.1 200 OK\r\n"
        end_its_worker(kept.servers[0])
        await until(lambda: not doors.all_open)
        assert [(item["open"], item["closed"]) for item in doors.facts()] == [(False, "its HTTP server has ended")]
        assert await reached(port) == b""
        await doors.tend()
        assert kept.told() == ["listener-closed"]
        assert "has ended" in caplog.text
        kept.moment += 60
        with caplog.at_level(logging.INFO):
            await doors.tend()
        assert await reached(port) == b"HTTP/1.1 200 OK\r\n"
        assert doors.all_open
        assert [(item["open"], item["closed"]) for item in doors.facts()] == [(True, "")]
        assert kept.told() == ["listener-closed", "listener-reopened"]


async def test_one_that_dies_again_and_again_is_opened_less_and_less_often() -> None:
    config, kept = config_of(host="127.0.0.1", port=archives.free_port(), tls=False), Kept()
    async with opened(config, kept, plain_certificates(config)) as doors:

        async def dies() -> float:
            """How long it stays closed."""
            end_its_worker(kept.servers[-1])
            await until(lambda: not doors.all_open)
            before = kept.moment
            await doors.tend()
            while not doors.all_open:
                kept.moment += 1
                await doors.tend()
            return kept.moment - before

        assert [await dies() for _ in range(4)] == [2, 4, 8, 16]
        kept.refuse = 3
        assert await dies() == 32 + 3 * LONGEST
        kept.moment += 2 * LONGEST
        await doors.tend()
        assert await dies() == 2  # it had held


@pytest.mark.parametrize("how", ["removed", "taken"])
async def test_a_unix_socket_that_was_removed_is_there_again(tmp_path: Path, how: str) -> None:
    path = tmp_path / "web.sock"
    config, kept = config_of(unix=str(path), trusted_proxy=True, names=["pacs.example.org"]), Kept()
    async with opened(config, kept, plain_certificates(config)) as doors:
        path.unlink()
        if how == "taken":
            with socket.socket(socket.AF_UNIX) as other:
                other.bind(str(path))
        await until(lambda: not doors.all_open)
        await doors.tend()
        while not doors.all_open:
            kept.moment += 60
            await doors.tend()
            await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b"GET / HTTP/1.1\r\nHost: pacs.example.org\r\n\r\n")
        assert await asyncio.wait_for(reader.readline(), 20) == b"HTTP/1.1 200 OK\r\n"
        writer.close()
    assert not path.exists()


# --- renewals that fail ---------------------------------------------------------------------------------------------


class Failing(Certificates):
    """Cannot be had so many times, for no reason that `look` would see: a full disk, a database that was busy."""

    fail = 0
    asked = 0

    def for_web(self, item: WebListener) -> Shown:
        self.asked += 1
        if self.fail:
            self.fail -= 1
            raise LeadglassError(ErrorCode.UNAVAILABLE, "State cannot be written.")
        return super().for_web(item)


@pytest.mark.parametrize("what", ["certificate", "server"])
async def test_a_renewal_that_failed_is_told_and_tried_again(
    what: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    given = Given(tmp_path)
    given.put(utc_now() + dt.timedelta(days=100))
    files = {"certificate": str(given.certificate), "key": str(given.key)}
    config, kept = config_of(host="127.0.0.1", port=archives.free_port(), **files), Kept()
    certificates = Failing(State(), b"", config)  # type: ignore[arg-type]
    async with opened(config, kept, certificates) as doors:
        (first,) = doors.facts()
        given.put(utc_now() + dt.timedelta(days=300))
        certificates.fail, kept.refuse = (3, 0) if what == "certificate" else (0, 3)
        await doors.tend()
        (seen,) = doors.facts()
        sentence = "State cannot be written." if what == "certificate" else "cannot listen"
        assert seen["open"] and sentence in seen["renewal"]
        assert seen["certificate_until"] == first["certificate_until"]
        assert kept.told() == ["certificate-renewal-failed"]
        for _ in range(3):
            await doors.tend()  # not yet
        assert certificates.asked == 2
        for _ in range(3):
            kept.moment += LONGEST
            await doors.tend()
        (seen,) = doors.facts()
        assert (seen["open"], seen["renewal"]) == (True, "")
        assert seen["certificate_until"] > first["certificate_until"]
        asked = certificates.asked
        await doors.tend()
        assert certificates.asked == asked  # nothing changed
    assert kept.told() == ["certificate-renewal-failed"]
    assert caplog.text.count(sentence) == 1


async def test_what_is_put_right_is_taken_at_once(tmp_path: Path) -> None:
    given = Given(tmp_path)
    given.put(utc_now() + dt.timedelta(days=100))
    files = {"certificate": str(given.certificate), "key": str(given.key)}
    config, kept = config_of(host="127.0.0.1", port=archives.free_port(), **files), Kept()
    async with opened(config, kept, plain_certificates(config)) as doors:
        kept_key = given.key.read_bytes()
        given.put(utc_now() + dt.timedelta(days=200))
        given.key.write_bytes(kept_key)
        await doors.tend()
        assert "do not fit" in doors.facts()[0]["renewal"]
        given.put(utc_now() + dt.timedelta(days=300))
        await doors.tend()
        assert doors.facts()[0]["renewal"] == ""


async def test_a_failing_renewal_keeps_no_expired_certificate_open(tmp_path: Path) -> None:
    given = Given(tmp_path)
    given.put(utc_now() + dt.timedelta(days=100))
    files = {"certificate": str(given.certificate), "key": str(given.key)}
    config, kept = config_of(host="127.0.0.1", port=archives.free_port(), **files), Kept()
    certificates = Failing(State(), b"", config)  # type: ignore[arg-type]
    async with opened(config, kept, certificates) as doors:
        certificates.fail = 100
        doors._now = lambda: utc_now() + dt.timedelta(days=101)
        given.put(utc_now() + dt.timedelta(days=300))
        await doors.tend()
        (seen,) = doors.facts()
        assert (seen["open"], seen["closed"]) == (False, "its certificate has expired")
        assert seen["renewal"] == "State cannot be written."
        certificates.fail = 0
        kept.moment += LONGEST
        await doors.tend()
        assert doors.all_open
