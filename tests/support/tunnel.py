"""A TLS tunnel for programs that cannot speak TLS (DCMTK's movescu and getscu): what hospitals put before them."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator

from enrolling import Papers


@contextlib.contextmanager
def tunnel(port: int, papers: Papers) -> Iterator[int]:
    """Plain connections to the port that this yields go on over mutual TLS to `port`; both on loopback."""
    context = ssl.create_default_context(cafile=str(papers.authority))
    context.load_cert_chain(papers.certificate, papers.key)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(65536):
                writer.write(piece)
                await writer.drain()
        with contextlib.suppress(OSError):
            writer.close()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        await asyncio.gather(pour(reader, far_writer), pour(far_reader, writer))

    server = asyncio.run_coroutine_threadsafe(asyncio.start_server(forward, "127.0.0.1", 0), loop).result(10)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
