"""The auditor against nmap and pynetdicom, on loopback: deep probes, a sweep, memory, a count that has to be exact.

nmap connects and runs its script dicom-ping: one association with a single context, the echo not sent. Ours proposes
29 contexts, echoes, and releases. The servers are the same light ones, in a process of their own.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.report import Row
from bench.scan_process import PORT, address
from leadglass.app.lab.lab import SCOPE

SERVERS = 4000
BY_PYNETDICOM = 400  # of them: at its rate the rest would only take longer
_PATIENCE = 600
_KNOCKING = 15  # seconds, some 100,000 addresses


def run(runs: int) -> list[Row]:
    """The rows of the auditor."""
    deep: dict[str, list[float]] = {"leadglass": [], "nmap": [], "pynetdicom": []}
    swept: dict[str, list[float]] = {"leadglass": [], "nmap": []}
    with _server("serve", SERVERS):
        for _ in range(runs):
            deep["leadglass"].append(_ours("probe", SERVERS))
            deep["nmap"].append(_nmap_deep())
            deep["pynetdicom"].append(_ours("pynetdicom", BY_PYNETDICOM))
    for _ in range(runs):
        swept["leadglass"].append(_ours("sweep"))
        swept["nmap"].append(_nmap_sweep())
    memory = [_memory() for _ in range(runs)]
    with _server("hold"):
        counted = [_ours("count") for _ in range(runs)]
    case = f"audit: deep probe of {SERVERS:,} servers"
    only = {name: deep[name] for name in ("leadglass", "pynetdicom")}
    return [
        Row(case, "servers/s", {name: deep[name] for name in ("leadglass", "nmap")}, 2.0, "nmap"),
        Row(f"{case}, by 32 threads", "servers/s", only, 15.0, "pynetdicom"),
        Row("audit: sweep of 65,536 closed addresses", "ports/s", swept, 1.0, "nmap"),
        Row("audit: memory for a scope of 16 million addresses", "MB", {"leadglass": memory}, 150, "", True),
        Row("audit: exact count of 100,000 studies, 1,000 answers at a time", "s", {"leadglass": counted}),
    ]


def _ours(name: str, number: int = 0) -> float:
    command = [sys.executable, "-m", "bench.scan_process", name, str(number)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    if not found["right"]:
        raise RuntimeError(f"{name}: what was found is not what is there")
    return float(found["rate"])


def _memory() -> float:
    """The most memory, in MB, of the program itself while it knocks at a scope of 16 million addresses."""
    with tempfile.TemporaryDirectory() as folder:
        scope = Path(folder) / "scope.toml"
        today = dt.datetime.now(dt.UTC).date()
        end = today + dt.timedelta(days=9)
        scope.write_text(SCOPE.format(begin=today, end=end, networks='["127.0.0.0/8"]', ports=PORT + 6, patience=5))
        command = [sys.executable, "-m", "leadglass.app", "scan", "run", str(scope), "--folder", folder, "--json"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(_KNOCKING)
            status = Path(f"/proc/{process.pid}/status").read_text()
            process.send_signal(signal.SIGINT)
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
    return int(kilobytes) * 1024 / 1e6


def _nmap_deep() -> float:
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "addresses"
        listed.write_text("\n".join(address(number) for number in range(SERVERS)))
        script = ["--script", "dicom-ping", "-iL", str(listed)]
        text, seconds = _nmap(*script)
    spoken = len(re.findall(r"dicom: DICOM Service Provider discovered", text))
    if spoken != SERVERS:
        raise RuntimeError(f"nmap found {spoken} servers")
    return SERVERS / seconds


def _nmap_sweep() -> float:
    _, seconds = _nmap("127.80.0.0/16")
    return 65536 / seconds


def _nmap(*more: str) -> tuple[str, float]:
    fast = ["-T5", "--max-retries", "0", "--min-hostgroup", "4096", "--min-parallelism", "256"]
    start = time.perf_counter()
    done = subprocess.run(
        ["nmap", "-sT", "-Pn", "-n", "-p", str(PORT), *fast, *more],
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=True,
    )
    return done.stdout, time.perf_counter() - start


@contextlib.contextmanager
def _server(name: str, number: int = 0) -> Iterator[None]:
    command = [sys.executable, "-m", "bench.scan_process", name, str(number)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        if server.stdout.readline().strip() != "ready":
            raise RuntimeError("the servers did not start")
        try:
            yield
        finally:
            server.kill()
