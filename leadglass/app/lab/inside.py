"""What runs inside of the enclosure: foreign servers in a network of their own, and a relay to each.

They listen on every address unless told otherwise, and some cannot be told. Here every address is 127.0.0.0/8 of a
network namespace that nobody reaches. The doors, listening sockets on the laboratory's addresses, were opened outside
and handed in; what comes through them is carried to the server, byte for byte. It ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from leadglass.app.namespaces import raise_loopback

READY = "ready"
_HERE = "127.0.0.1"
_CHUNK = 65536
_TRIES, _PAUSE = 600, 0.1  # a minute for all of them to listen


async def main() -> None:
    """Read what to run from standard input, run it, say so, and wait for the end."""
    loop = asyncio.get_running_loop()
    told = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(told), sys.stdin)
    peers = json.loads(await told.readline())
    raise_loopback()
    processes = [_start(peer) for peer in peers]
    failed = [peer["name"] for peer, process in zip(peers, processes, strict=True) if not await _serves(peer, process)]
    async with contextlib.AsyncExitStack() as stack:
        for peer in () if failed else peers:
            for descriptor, port in peer["doors"]:
                door = socket.socket(fileno=descriptor)
                await stack.enter_async_context(await asyncio.start_server(_to(port), sock=door))
        print(f"{', '.join(failed)} did not start." if failed else READY, flush=True)  # noqa: T201 - who started it reads
        await told.read()


async def _serves(peer: Mapping[str, Any], process: subprocess.Popen[bytes]) -> bool:
    return all([await _listens(process, port) for _, port in peer["doors"]])


def _start(peer: Mapping[str, Any]) -> subprocess.Popen[bytes]:
    folder = Path(peer["folder"])
    with (folder / "server.log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603 - what the laboratory itself made up
            peer["command"], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )


async def _listens(process: subprocess.Popen[bytes], port: int) -> bool:
    for _ in range(_TRIES):
        if process.poll() is not None:
            return False
        with contextlib.suppress(OSError):
            _, line = await asyncio.open_connection(_HERE, port)
            line.close()
            return True
        await asyncio.sleep(_PAUSE)
    return False


def _to(port: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """What carries a connection to this port."""

    async def carry(heard: asyncio.StreamReader, said: asyncio.StreamWriter) -> None:
        try:
            answer, ask = await asyncio.open_connection(_HERE, port)
        except OSError:
            said.transport.abort()
            return
        try:
            await asyncio.gather(_carry(heard, ask), _carry(answer, said))
        except OSError:
            said.transport.abort()
            ask.transport.abort()
        finally:
            said.close()
            ask.close()

    return carry


async def _carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """All bytes, at the pace of who takes them, and the end."""
    while chunk := await source.read(_CHUNK):
        sink.write(chunk)
        await sink.drain()
    sink.write_eof()


if __name__ == "__main__":
    asyncio.run(main())
