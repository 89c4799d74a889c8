"""Retrieve: DCMTK getscu and movescu fetch a study of 500 CT from each archive."""

from __future__ import annotations

import contextlib
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench import peers
from bench.ingest import SYSTEMS, rate
from bench.material import PER_STUDY, ct_files

COUNT = 500
STUDIES = [f"1.2.826.0.1.3680043.10.1511.500.{number}" for number in range(1, -(-COUNT // PER_STUDY) + 1)]


@contextlib.contextmanager
def _sink(port: int) -> Iterator[None]:
    """storescp that throws away what it receives."""
    process = subprocess.Popen(["storescp", "--ignore", "-aet", "SINK", str(port)], env=peers.dcmtk_environment(True))
    try:
        peers.wait_for_port(port, process)
        yield
    finally:
        process.terminate()
        process.wait()


def _fetch(tool: list[str], system: peers.Running) -> float:
    call = ["-S", "-aet", "BENCH", "-aec", system.ae_title, "-k", "0008,0052=STUDY"]
    keys = ["-k", "StudyInstanceUID=" + "\\".join(STUDIES), "127.0.0.1", str(system.port)]
    started = time.perf_counter()
    subprocess.run(
        [*tool, *call, *keys], check=True, capture_output=True, env=peers.dcmtk_environment(True), timeout=300
    )
    return COUNT / (time.perf_counter() - started)


def run(runs: int) -> dict[str, dict[str, list[float]]]:
    """Case -> system -> images per second of each run."""
    scratch = Path(tempfile.mkdtemp(prefix="leadglass-retrieve-"))
    ct_files(scratch / "ct", COUNT, 500)
    port = peers.free_port()
    os.environ["BENCH_SINK_PORT"] = str(port)
    results: dict[str, dict[str, list[float]]] = {"C-GET of 500 CT": {}, "C-MOVE of 500 CT": {}}
    with contextlib.ExitStack() as stack:
        stack.enter_context(_sink(port))
        systems = [stack.enter_context(SYSTEMS[name](True)) for name in ("leadglass", "orthanc")]
        for system in systems:
            rate(system, [scratch / "ct"], COUNT, True)
        for _ in range(runs):
            for system in systems:
                got = _fetch(["getscu", "--ignore"], system)
                moved = _fetch(["movescu", "-aem", "SINK"], system)
                for case, figure in zip(results, (got, moved), strict=True):
                    results[case].setdefault(system.name, []).append(figure)
    shutil.rmtree(scratch, ignore_errors=True)
    for case, row in results.items():
        print(f"{case}: { {name: round(statistics.median(values)) for name, values in row.items()} }", flush=True)
    return results
