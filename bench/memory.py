"""Resident memory of each of the archive's processes after 10,000 stores, and whether it stays flat."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench import peers
from bench.ingest import rate
from bench.material import mr_files
from bench.report import Row

STORES, BATCH = 10_000, 2_500


def run() -> list[Row]:
    """The largest process after each batch, in MB."""
    sizes = []
    with tempfile.TemporaryDirectory(prefix="leadglass-memory-") as scratch, peers.leadglass() as system:
        for batch in range(STORES // BATCH):
            folder = Path(scratch) / f"batch{batch}"
            mr_files(folder, BATCH, 600 + batch)
            rate(system, [folder], BATCH, nodelay=True)
            sizes.append(peers.resident(peers.family(system.pids[0])) / 1e6)
    print("resident memory after each 2,500 stores: " + ", ".join(f"{size:.0f} MB" for size in sizes), flush=True)
    flat = Row("memory after 10,000 stores against after 2,500", "MB", {"leadglass": sizes[-1:], "early": sizes[:1]})
    return [Row("memory of the largest process, 10,000 stores", "MB", {"leadglass": [max(sizes)]}, 200, "", True), flat]
