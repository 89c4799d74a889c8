"""A port of loopback that counts who comes: for proving that nobody does."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


class Sink:
    """Takes connections, says nothing and counts them."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self.came: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                with contextlib.suppress(OSError):
                    self.came.append(connection.recv(400))


@contextlib.contextmanager
def sink() -> Iterator[Sink]:
    """A sink for the length of a block."""
    made = Sink()
    try:
        yield made
    finally:
        made.close()
