"""Nothing goes out but by the dialer, and the dialer keeps to the scope, the pace and the kill switch."""

import ast
import asyncio
import ipaddress
from dataclasses import replace
from pathlib import Path

import pytest

import leadglass.exposure
from leadglass.exposure.dialer import ScopedDialer
from leadglass.exposure.scope import Pace, Scope
from leadglass.exposure.service import Service
from leadglass.exposure.streams import Reason, Unreachable
from leadglass.exposure.turns import Turns

FAST = Pace(per_host=1e6, total=1e6, concurrent=64, connect_timeout=5, probe_timeout=20)


def scope(port: int, **changes) -> Scope:
    return replace(
        Scope(
            authorised_by="The test",
            contact="mailto:test@example.org",
            valid_from=0,
            valid_until=100,
            networks=(ipaddress.ip_network("127.0.0.0/8"),),
            ports=(port,),
            pace=FAST,
        ),
        **changes,
    )


def soon(seconds: float = 20) -> float:
    return asyncio.get_running_loop().time() + seconds


class Peer:
    """A server that does with each connection what it is told."""

    def __init__(self, serve) -> None:
        self.serve = serve
        self.met = 0
        self.at_once = 0
        self.most_at_once = 0

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._met, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.server.close()

    async def _met(self, reader, writer):
        self.met += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.serve(reader, writer)
        except ConnectionError:
            pass
        finally:
            self.at_once -= 1
            writer.close()


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


async def silent(reader, writer):
    await reader.read()


async def endless(reader, writer):
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


@pytest.mark.parametrize(
    ("address", "port", "changes"),
    [
        ("127.0.0.1", 1, {}),
        ("127.0.0.1", None, {"exclusions": (ipaddress.ip_network("127.0.0.1/32"),)}),
        ("127.0.0.1", None, {"networks": (ipaddress.ip_network("127.0.0.2/32"),)}),
        ("127.0.0.1", None, {"networks": ()}),
        ("::1", None, {}),
    ],
)
async def test_what_is_not_in_the_scope_is_not_contacted(address, port, changes):
    async with Peer(echo) as peer:
        dialer = ScopedDialer(scope(peer.port, **changes), now=lambda: 50)
        service = Service(address, port or peer.port)
        for way in (dialer.connect(service, deadline=soon(), bound=10), dialer.knock(service)):
            with pytest.raises(Unreachable) as refused:
                await way
            assert refused.value.reason is Reason.OUT_OF_SCOPE
        assert peer.met == 0


async def test_a_name_that_is_not_listed_is_not_asked_for():
    async with Peer(echo) as peer:
        dialer = ScopedDialer(scope(peer.port, names=("pacs.example.org",)), now=lambda: 50)
        await dialer.knock(Service("127.0.0.1", peer.port, "pacs.example.org"))
        with pytest.raises(Unreachable) as refused:
            await dialer.knock(Service("127.0.0.1", peer.port, "other.example.org"))
        assert refused.value.reason is Reason.OUT_OF_SCOPE


@pytest.mark.parametrize("now", [-1, 100, 101])
async def test_before_and_after_the_permission_nothing_goes_out(now):
    async with Peer(echo) as peer:
        dialer = ScopedDialer(scope(peer.port), now=lambda: now)
        with pytest.raises(Unreachable) as refused:
            await dialer.connect(Service("127.0.0.1", peer.port), deadline=soon(), bound=10)
        assert refused.value.reason is Reason.STOPPED
        assert peer.met == 0


async def test_bytes_go_both_ways_and_the_end_is_an_end():
    async def once(reader, writer):
        writer.write(await reader.readexactly(200_000))

    async with Peer(once) as peer:
        stream = await ScopedDialer(scope(peer.port), now=lambda: 1).connect(
            Service("127.0.0.1", peer.port), deadline=soon(), bound=200_000
        )
        await stream.write(b"a" * 200_000)
        assert await stream.read_exactly(150_000) == b"a" * 150_000
        got = b""
        while piece := await stream.read(7000):
            assert len(piece) <= 7000
            got += piece
        assert got == b"a" * 50_000
        stream.close()
        stream.close()


async def test_a_peer_that_ends_early_or_sends_too_much_or_nothing_is_left():
    async def short(reader, writer):
        writer.write(b"abc")

    async with Peer(short) as few, Peer(endless) as much, Peer(silent) as none:
        for peer, seconds, reason in (
            (few, 20, Reason.RESET),
            (much, 20, Reason.TOO_MUCH),
            (none, 0.2, Reason.TIMEOUT),
        ):
            dialer = ScopedDialer(scope(peer.port), now=lambda: 1)
            stream = await dialer.connect(Service("127.0.0.1", peer.port), deadline=soon(seconds), bound=1_000_000)
            with pytest.raises(Unreachable) as ended:
                await stream.read_exactly(2_000_000)
            assert ended.value.reason is reason
            if reason is not Reason.RESET:  # who says no more may still listen
                with pytest.raises(Unreachable):
                    await stream.write(b"more")


async def test_a_peer_that_does_not_read_ends_at_the_deadline():
    async def deaf(reader, writer):
        await asyncio.sleep(30)

    async with Peer(deaf) as peer:
        dialer = ScopedDialer(scope(peer.port), now=lambda: 1)
        stream = await dialer.connect(Service("127.0.0.1", peer.port), deadline=soon(0.5), bound=10)
        with pytest.raises(Unreachable) as ended:
            while True:
                await stream.write(b"x" * 1_000_000)
        assert ended.value.reason is Reason.TIMEOUT


async def test_a_closed_port_is_refused():
    async with Peer(echo) as peer:
        port = peer.port
    dialer = ScopedDialer(scope(port), now=lambda: 1)
    for way in (
        dialer.connect(Service("127.0.0.1", port), deadline=soon(), bound=1),
        dialer.knock(Service("127.0.0.1", port)),
    ):
        with pytest.raises(Unreachable) as refused:
            await way
        assert refused.value.reason is Reason.REFUSED


async def test_a_host_has_one_connection_at_a_time_and_others_do_not_wait_for_it():
    async with Peer(echo) as peer:
        dialer = ScopedDialer(scope(peer.port), now=lambda: 1)

        async def visit(address):
            stream = await dialer.connect(Service(address, peer.port), deadline=soon(), bound=100)
            await stream.write(b"hello")
            await stream.read_exactly(5)
            stream.close()

        await asyncio.gather(*(visit("127.0.0.1") for _ in range(30)))
        assert peer.met == 30
        assert peer.most_at_once <= 2  # the peer learns of an end a moment after us


async def test_the_kill_switch_ends_all_that_is_open_and_all_that_wait():
    async with Peer(silent) as peer:
        dialer = ScopedDialer(scope(peer.port), now=lambda: 1)
        service = Service("127.0.0.1", peer.port)
        stream = await dialer.connect(service, deadline=soon(), bound=10)
        reading = asyncio.create_task(stream.read())
        waiting = asyncio.create_task(dialer.connect(service, deadline=soon(), bound=10))
        await asyncio.sleep(0)
        dialer.stop()
        for task in (reading, waiting):
            with pytest.raises(Unreachable) as ended:
                await task
            assert ended.value.reason is Reason.STOPPED
        with pytest.raises(Unreachable):
            await dialer.knock(service)


async def test_turns_keep_the_pace_and_forget_hosts():
    clock = 0.0
    slept = []

    async def sleep(seconds):
        nonlocal clock
        slept.append(seconds)
        clock += seconds

    turns = Turns(Pace(per_host=2, total=10, concurrent=5), lambda: clock, sleep)
    for _ in range(3):
        await turns.take("a")
        turns.give_back("a")
    assert clock == pytest.approx(1.0)
    for number in range(20):
        await turns.take(f"h{number}")
        turns.give_back(f"h{number}")
    assert clock == pytest.approx(1.0 + 20 / 10, abs=0.11)
    clock += 10
    for number in range(5000):
        await turns.take(f"x{number}")
        turns.give_back(f"x{number}")
        clock += 1
    assert turns.remembered < 4200


async def test_a_turn_that_nobody_takes_any_more_is_handed_on():
    turns = Turns(Pace(per_host=1e6, total=1e6, concurrent=1), asyncio.get_running_loop().time)
    await turns.take("a")
    tasks = [asyncio.create_task(turns.take(host)) for host in ("a", "b", "c")]
    await asyncio.sleep(0)
    turns.give_back("a")
    tasks[0].cancel()
    tasks[1].cancel()
    await asyncio.gather(*tasks[:2], return_exceptions=True)
    await asyncio.wait_for(tasks[2], 20)
    turns.give_back("c")
    await asyncio.wait_for(turns.take("a"), 20)


async def test_who_gives_up_in_line_is_passed_over_whoever_comes_first():
    turns = Turns(Pace(per_host=1e6, total=1e6, concurrent=1), asyncio.get_running_loop().time)
    await turns.take("a")
    tasks = [asyncio.create_task(turns.take(host)) for host in ("a", "b", "c")]
    await asyncio.sleep(0)
    for task in tasks[:2]:
        task.cancel()
    turns.give_back("a")  # before the two have noticed
    done = await asyncio.gather(*tasks[:2], return_exceptions=True)
    assert [type(error) for error in done] == [asyncio.CancelledError, asyncio.CancelledError]
    await asyncio.wait_for(tasks[2], 20)


ALLOWED = {"dialer.py", "names.py"}
WAYS_OUT = {
    "socket",
    "open_connection",
    "create_connection",
    "create_datagram_endpoint",
    "sock_connect",
    "open_unix_connection",
    "create_unix_connection",
    "start_tls",
    "create_server",
    "start_server",
}
MODULES_OUT = {
    "socket",
    "http",
    "urllib.request",
    "urllib.robotparser",
    "httpx",
    "requests",
    "urllib3",
    "aiohttp",
    "ftplib",
    "smtplib",
    "telnetlib",
    "xmlrpc",
    "subprocess",
    "dns",
    "_socket",
    "ctypes",
    "leadglass.net.dialer",
    "leadglass.net.requestor",
    "leadglass.net.documents",
}


def _faults(source: str) -> list[str]:
    faults = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Attribute) and node.attr in WAYS_OUT:
            faults.append(node.attr)
            continue
        elif isinstance(node, ast.Name) and node.id in {"__import__", "eval", "exec"}:
            faults.append(node.id)
            continue
        else:
            continue
        faults += [name for name in names if any(name == out or name.startswith(out + ".") for out in MODULES_OUT)]
    return faults


def test_no_other_module_of_the_auditor_can_open_a_socket():
    root = Path(leadglass.exposure.__file__).parent
    files = [path for path in root.rglob("*.py") if path.relative_to(root).as_posix() not in ALLOWED]
    assert len(files) > 8
    assert {path.name: faults for path in files if (faults := _faults(path.read_text()))} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import socket",
        "import urllib.request",
        "from urllib import request",
        "from leadglass.net import requestor",
        "import asyncio\nasyncio.open_connection('127.0.0.1', 1)",
        "loop.create_connection(f, 'h', 1)",
        "__import__('socket')",
    ],
)
def test_that_test_can_fail(source):
    assert _faults(source)
