"""Ingest: DCMTK storescu against each system, 1 and 4 associations, with TCP_NODELAY and as shipped."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench import peers
from bench.material import ct_files, mr_files

SYSTEMS: dict[str, Callable[[bool], AbstractContextManager[peers.Running]]] = {
    "leadglass": peers.leadglass,
    "orthanc": peers.orthanc,
    "storescp": peers.storescp,
    "pynetdicom": partial(peers.python_peer, "pynetdicom_scp"),
    "bare reader": partial(peers.python_peer, "bare_reader"),
}


@dataclass(frozen=True)
class Case:
    """What is sent: kind of image, how many per association, how many associations, TCP_NODELAY at the sender."""

    name: str
    kind: str
    count: int
    associations: int
    nodelay: bool
    systems: tuple[str, ...] = tuple(SYSTEMS)


CASES = (
    Case("CT, 1 association", "CT", 300, 1, True),
    Case("MR, 1 association", "MR", 1200, 1, True),
    Case("CT, 4 associations", "CT", 100, 4, True),
    Case("MR, 4 associations", "MR", 500, 4, True),
    Case("CT, sender as shipped", "CT", 60, 1, False),
)


def rate(system: peers.Running, folders: list[Path], count: int, nodelay: bool) -> float:
    """Images per second over all associations, from the start of the senders to the end of the last."""
    environment = peers.dcmtk_environment(nodelay)
    command = ["storescu", "-R", "-aet", "BENCH", "-aec", system.ae_title, "127.0.0.1", str(system.port), "+sd"]
    started = time.perf_counter()
    senders = [
        subprocess.Popen([*command, str(folder)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for folder in folders
    ]
    for sender in senders:
        output, _ = sender.communicate(timeout=600)
        if sender.returncode:
            raise RuntimeError(f"storescu failed against {system.name}: {output[-400:]!r}")
    return count * len(folders) / (time.perf_counter() - started)


def run(scratch: Path, runs: int, only: tuple[str, ...] = ()) -> dict[str, dict[str, list[float]]]:
    """Case -> system -> images per second of each run."""
    results: dict[str, dict[str, list[float]]] = {}
    for case in CASES:
        folders = []
        for association in range(case.associations):
            folder = scratch / f"{case.kind}{case.count}-{association}"
            make = ct_files if case.kind == "CT" else mr_files
            if not folder.exists():
                make(folder, case.count, 10 + association)
            folders.append(folder)
        figures: dict[str, list[float]] = {name: [] for name in case.systems if not only or name in only}
        for _ in range(runs):
            for name, rates in figures.items():
                with SYSTEMS[name](case.nodelay) as system:
                    rates.append(rate(system, folders, case.count, case.nodelay))
        results[case.name] = figures
        medians = {name: round(statistics.median(values)) for name, values in figures.items()}
        print(f"{case.name}: {medians}", flush=True)
    shutil.rmtree(scratch, ignore_errors=True)
    return results
