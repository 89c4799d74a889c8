"""`leadglass serve`: hand the keys to the processes, run them, start again the one that dies, end them together.

The DICOM process comes first: it replays what a crash left before anybody reads. The web processes share their
listeners' ports (SO_REUSEPORT) and are alike.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from leadglass.app.home import Home
from leadglass.app.key_pipe import write_keys
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.keys.keyset import KeySet

RESTARTS = 5  # in RESTART_WINDOW; a process that dies more often is not started again
RESTART_WINDOW = 60.0
DICOM = "leadglass.app.dicom_process"
WEB = "leadglass.app.web_process"
METRICS = "leadglass.app.metrics_process"
_CALLED = {DICOM: "The DICOM process", WEB: "A web process", METRICS: "The metrics process"}


class _Child:
    """One process of ours: a module, started with HOME, two descriptors (keys to read, ready to write), its number."""

    def __init__(self, module: str, home: Home, number: int, *, keyed: bool = True) -> None:
        self.module = module
        self._number = number
        self._keyed = keyed
        self.process: subprocess.Popen[bytes] | None = None
        self._home = home
        self._deaths: list[float] = []
        self._asked = False  # to end

    def start(self, keys: KeySet) -> bool:
        """Start it and wait until it is ready; False if it ended instead."""
        self._asked = False
        key_read, key_write = os.pipe()
        ready_read, ready_write = os.pipe()
        arguments = [str(self._home.root), str(key_read), str(ready_write), str(self._number)]
        # Our own interpreter and module; the arguments are a path and numbers.
        self.process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", self.module, *arguments],
            stdin=subprocess.DEVNULL,
            pass_fds=(key_read, ready_write),
            process_group=0,
        )
        os.close(key_read)
        os.close(ready_write)
        if self._keyed:
            write_keys(key_write, keys)
        else:
            os.close(key_write)
        ready = os.read(ready_read, 1)
        os.close(ready_read)
        return bool(ready)

    def died_too_often(self) -> bool:
        """Count a death."""
        now = time.monotonic()
        self._deaths = [moment for moment in self._deaths if now - moment < RESTART_WINDOW] + [now]
        return len(self._deaths) >= RESTARTS

    def terminate(self) -> None:
        """Ask it to end, once: a second signal would cut off how it ends."""
        if self.process is not None and self.process.poll() is None and not self._asked:
            self._asked = True
            self.process.terminate()

    def wait(self) -> int:
        """Its exit code, once it has ended; 0 for one that was never started."""
        return 0 if self.process is None else self.process.wait()


class Supervisor:
    """Runs the processes of one archive. The caller holds the archive's lock."""

    def __init__(self, home: Home, keys: KeySet, web_processes: int = 0, *, metrics: bool = False) -> None:
        self._keys = keys
        self._children = [_Child(DICOM, home, 0), *(_Child(WEB, home, n + 1) for n in range(web_processes))]
        if metrics:
            self._children.append(_Child(METRICS, home, 0, keyed=False))
        self._stopping = False

    def run(self, on_ready: Callable[[], None]) -> int:
        """Serve until SIGTERM or SIGINT; the exit code. `on_ready` is called once everything listens.

        LeadglassError UNAVAILABLE if a process does not start or ends again and again; the others are ended first.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        try:
            for child in self._children:
                self._start(child)
            if not self._stopping:
                on_ready()
            while not self._stopping:
                self._start_again(self._first_to_end())
        finally:
            codes = self._end_all()
        return next((code for code in codes if code not in (0, -signal.SIGTERM)), 0)

    def _start(self, child: _Child) -> None:
        if not self._stopping and not child.start(self._keys) and not self._stopping:
            code = child.wait()
            raise LeadglassError(ErrorCode.UNAVAILABLE, f"{_called(child)} did not start (exit {code}).")

    def _start_again(self, child: _Child | None) -> None:
        if child is None or self._stopping:
            return
        child.wait()
        if child.died_too_often():
            raise LeadglassError(ErrorCode.UNAVAILABLE, f"{_called(child)} ends again and again; see its log.")
        self._start(child)

    def _first_to_end(self) -> _Child | None:
        """Wait for any child to end; None if it was another process."""
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:
            return None
        running = {child.process.pid: child for child in self._children if child.process is not None}
        return running.get(ended.si_pid) if ended is not None else None

    def _end_all(self) -> Sequence[int]:
        """The doors end before the process that replays; exit codes in the order of the children."""
        for child in reversed(self._children):
            child.terminate()
        return [child.wait() for child in self._children]

    def _stop(self, number: int, frame: object) -> None:
        self._stopping = True
        for child in self._children:
            child.terminate()


def _called(child: _Child) -> str:
    return _CALLED[child.module]
