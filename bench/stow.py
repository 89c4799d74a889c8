"""STOW-RS of 500 CT images in one request, side by side with Orthanc and its DICOMweb plugin: `python -m bench.stow`.

curl sends the same body to each; Leadglass encrypts, syncs and asks for a token, Orthanc does what its defaults do.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Collection
from pathlib import Path

from bench import material, peers
from bench.web_peers import SYSTEMS, Target, cpu_of

BOUNDARY = "6f1d2c7b94a84e0cb3a5d80c2f4e9a17"  # as long as clients make them
SETTLE_SECONDS = 2.0  # what still starts is not what is measured
IMAGES = 500


def body(files: list[Path], target: Path) -> Path:
    """One multipart body of all files."""
    with target.open("wb") as out:
        for file in files:
            out.write(f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode() + file.read_bytes() + b"\r\n")
        out.write(f"--{BOUNDARY}--\r\n".encode())
    return target


def post(target: Target, content: Path, answer: Path, images: int) -> float:
    """Seconds that curl needs to send `content`; all of its `images` must have been stored."""
    headers = target.headers(
        f'Content-Type: multipart/related; type="application/dicom"; boundary={BOUNDARY}',
        "Accept: application/dicom+json",
        "Expect:",
    )
    config = "".join(f'header = "{header.replace(chr(34), chr(92) + chr(34))}"\n' for header in headers)
    command = ["curl", "-sS", "-f", "-K", "-", "-T", str(content), "-X", "POST", "-o", str(answer)]
    before = time.perf_counter()
    subprocess.run([*command, f"{target.base}/studies"], input=config.encode(), check=True, timeout=300)
    seconds = time.perf_counter() - before
    stored = len(json.loads(answer.read_text()).get("00081199", {}).get("Value", []))
    if stored != images:
        raise RuntimeError(f"{target.name} stored {stored} of {images} images")
    return seconds


def run(runs: int, images: int = IMAGES, only: Collection[str] = tuple(SYSTEMS)) -> dict[str, list[float]]:
    """System -> images per second of each run, into an archive that is empty; in turns."""
    rates: dict[str, list[float]] = {name: [] for name in SYSTEMS if name in only}
    with tempfile.TemporaryDirectory(prefix="leadglass-bench-") as scratch:
        root = Path(scratch)
        content = body(material.ct_files(root / "ct", images), root / "body")
        for number in range(runs):
            for name, found in rates.items():
                folder = root / f"{name}{number}"
                folder.mkdir()
                with SYSTEMS[name](folder) as target:
                    time.sleep(SETTLE_SECONDS)
                    before = cpu_of(target)
                    found.append(images / post(target, content, root / "answer", images))
                    used, size = cpu_of(target) - before, peers.resident(target.pids) >> 20
                told = f"{used:.1f} s of processor, {size} MiB resident"
                print(f"STOW, {name}: {found[-1]:.0f} images/s, {told}", flush=True)
                os.sync()
    return rates


def main() -> None:
    """Measure, and print images per second of each run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=list(SYSTEMS))
    given = parser.parse_args()
    run(given.runs, given.images, (given.only,) if given.only else tuple(SYSTEMS))


if __name__ == "__main__":
    main()
