"""Where the time of one store goes: `python -m bench.hot_path`, microseconds by step, one association, CT and MR."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench import archive, peers
from bench.ingest import rate
from bench.material import ct_files, mr_files
from bench.profiled_process import STEPS
from leadglass.app.cli.opening import keys_of
from leadglass.app.config import read_config
from leadglass.app.key_pipe import write_keys

CASES = {"CT": (ct_files, 400), "MR": (mr_files, 2000)}


@contextlib.contextmanager
def profiled(folder: Path, result: Path) -> Iterator[peers.Running]:
    """An archive whose DICOM process writes its stop-watch to `result` when it ends."""
    port = peers.free_port()
    home = archive.make(folder, port)
    keys = keys_of(home, read_config(home.config))
    key_read, key_write = os.pipe()
    ready_read, ready_write = os.pipe()
    command = [sys.executable, "-m", "bench.profiled_process", str(home.root), str(key_read), str(ready_write)]
    process = subprocess.Popen([*command, str(result)], pass_fds=(key_read, ready_write))
    os.close(key_read)
    os.close(ready_write)
    write_keys(key_write, keys)
    try:
        os.read(ready_read, 1)
        yield peers.Running("leadglass", port, "LEADGLASS", [process.pid], folder)
    finally:
        process.terminate()
        process.wait(60)
        os.close(ready_read)


def run() -> dict[str, dict[str, float]]:
    """Kind of image -> step -> microseconds per store; "between" is what no step accounts for (the sender, the network,
    waits for a processor or the interpreter)."""
    table: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="leadglass-hot-path-") as scratch:
        for kind, (make, count) in CASES.items():
            folder, result = Path(scratch) / kind, Path(scratch) / f"{kind}.json"
            make(folder, count, 30)
            with profiled(Path(scratch) / f"archive-{kind}", result) as system:
                per_second = rate(system, [folder], count, nodelay=True)
            seconds = json.loads(result.read_text())["seconds"]
            steps = {step: 1e6 * seconds.get(step, 0.0) / count for _, _, step in STEPS}
            whole = 1e6 / per_second
            table[kind] = {**steps, "between": whole - sum(steps.values()), "one store": whole}
    return table


def text(table: dict[str, dict[str, float]]) -> str:
    """The table as Markdown."""
    kinds = list(table)
    lines = ["| microseconds of one store | " + " | ".join(kinds) + " |", "|---" * (len(kinds) + 1) + "|"]
    for step in table[kinds[0]]:
        lines.append(f"| {step} | " + " | ".join(f"{table[kind][step]:.0f}" for kind in kinds) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(text(run()))
