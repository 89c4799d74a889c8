"""`leadglass serve`: judge the settings, take the lock, obtain the keys, run the worker, start it again if it dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from leadglass.app.home import Home
from leadglass.app.key_pipe import write_keys
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.keys.keyset import KeySet

READY_SECONDS = 600.0  # a replay after a crash may take minutes
RESTARTS = 5  # in RESTART_WINDOW; a worker that dies more often is not started again
RESTART_WINDOW = 60.0


class Supervisor:
    """Runs the DICOM process of one archive. The caller holds the archive's lock."""

    def __init__(self, home: Home, keys: KeySet) -> None:
        self._home = home
        self._keys = keys
        self._worker: subprocess.Popen[bytes] | None = None
        self._stopping = False

    def run(self, on_ready: Callable[[], None]) -> int:
        """Serve until SIGTERM or SIGINT; the exit code. `on_ready` is called once the archive listens."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        deaths: list[float] = []
        told = False
        while True:
            self._start()
            if not told and not self._stopping:
                on_ready()
                told = True
            code = self._wait()
            if self._stopping:
                return code
            deaths = [moment for moment in deaths if time.monotonic() - moment < RESTART_WINDOW]
            deaths.append(time.monotonic())
            if len(deaths) >= RESTARTS:
                raise LeadglassError(ErrorCode.UNAVAILABLE, "The DICOM process ends again and again; see its log.")

    def _start(self) -> None:
        key_read, key_write = os.pipe()
        ready_read, ready_write = os.pipe()
        arguments = [str(self._home.root), str(key_read), str(ready_write)]
        # Our own interpreter and module; the arguments are a path and two numbers.
        self._worker = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "leadglass.app.dicom_process", *arguments],
            stdin=subprocess.DEVNULL,
            pass_fds=(key_read, ready_write),
            process_group=0,
        )
        os.close(key_read)
        os.close(ready_write)
        write_keys(key_write, self._keys)
        ready = os.read(ready_read, 1)
        os.close(ready_read)
        if not ready and not self._stopping:
            raise LeadglassError(
                ErrorCode.UNAVAILABLE, f"The DICOM process did not start (exit {self._worker.wait()})."
            )

    def _wait(self) -> int:
        assert self._worker is not None
        code = self._worker.wait()
        return 0 if self._stopping and code in (0, -signal.SIGTERM) else code

    def _stop(self, number: int, frame: object) -> None:
        self._stopping = True
        if self._worker is not None and self._worker.poll() is None:
            self._worker.terminate()
