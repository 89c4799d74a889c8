"""Fuzz each target for a bounded time: `python fuzz/run.py [--seconds N] [target...]`, or `--replay` the corpus alone.

A finding is written to fuzz/findings/ and the exit code is 1. Fixed findings move to fuzz/corpus/<target>/, which every
run and the test suite replay.
"""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGETS = (
    "fuzz_pdu",
    "fuzz_command_set",
    "fuzz_header_scan",
    "fuzz_models",
    "fuzz_multipart",
    "fuzz_pictures",
    "fuzz_resolver",
    "fuzz_web_pages",
)
OPTIONS = ("-max_len=4096", "-timeout=20", "-rss_limit_mb=1024", "-print_final_stats=1")


def replay(target: str) -> int:
    """Run the seeds and the corpus through a target, in this process; how many inputs there were. Faults are raised."""
    module = importlib.import_module(target)
    inputs = [*module.seeds(), *(path.read_bytes() for path in sorted((HERE / "corpus" / target).glob("*.bin")))]
    for data in inputs:
        module.check(data)
    return len(inputs)


def fuzz(target: str, seconds: int) -> int:
    """Fuzz a target in a process of its own; its exit code."""
    findings = HERE / "findings"
    findings.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for number, seed in enumerate(importlib.import_module(target).seeds()):
            (Path(scratch) / f"seed-{number}").write_bytes(seed)
        corpora = [scratch, *(str(path) for path in (HERE / "corpus" / target,) if path.is_dir())]
        command = [sys.executable, str(HERE / "start.py"), target, *corpora, *OPTIONS]
        command += [f"-max_total_time={seconds}", f"-artifact_prefix={findings / target}-"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(HERE.parent), str(HERE)))}
        return subprocess.run(command, env=environment, check=False).returncode


def main() -> int:
    """Replay everything, then fuzz unless told otherwise."""
    parser = argparse.ArgumentParser(description="Fuzz the parsers.")
    parser.add_argument("targets", nargs="*", default=TARGETS, help=f"some of {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    parser.add_argument("--replay", action="store_true", help="run seeds and corpus only; needs no atheris")
    arguments = parser.parse_args()
    unknown = set(arguments.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    sys.path[:0] = [str(HERE), str(HERE.parent)]
    failed = []
    for target in arguments.targets:
        print(f"{target}: {replay(target)} inputs replayed")
        if not arguments.replay and fuzz(target, arguments.seconds):
            failed.append(target)
    if failed:
        print(f"findings in {', '.join(failed)}: see fuzz/findings/")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
