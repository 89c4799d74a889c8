"""STOW-RS of 500 CT images in one request, side by side with Orthanc and its DICOMweb plugin: `python -m bench.stow`.

curl sends the same body to each; Leadglass encrypts, syncs and asks for a token, Orthanc does what its defaults do.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import material, peers
from leadglass.app.archive import open_archive
from leadglass.app.cli.opening import keys_of, operator
from leadglass.app.config import read_config
from leadglass.app.home import Home
from leadglass.app.making import Plan, make_archive
from leadglass.core.tokens import Scope
from leadglass.services.tokens import Wanted

BOUNDARY = "measured"
PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"


@dataclass
class Target:
    """Where to post to."""

    url: str
    pids: list[int]
    token: str = ""


def body(files: list[Path], target: Path) -> Path:
    """One multipart body of all files."""
    with target.open("wb") as out:
        for file in files:
            out.write(f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode() + file.read_bytes() + b"\r\n")
        out.write(f"--{BOUNDARY}--\r\n".encode())
    return target


@contextlib.contextmanager
def leadglass(folder: Path) -> Iterator[Target]:
    """Leadglass with a web listener on loopback and a token that may store."""
    home, port = Home(folder / "archive"), peers.free_port()
    risks = (("running-as-root", "measuring", ""), ("no-recovery-kit", "measuring", ""))
    make_archive(home, Plan(folder / "key", port=peers.free_port(), overrides=risks, web_port=port, web_tls=False))
    config = read_config(home.config)
    with open_archive(home, config, keys_of(home, config)) as archive:
        token = archive.tokens.issue(operator(), Wanted("bench", frozenset({Scope.STORE, Scope.READ}))).text
    command = [sys.executable, "-m", "leadglass.app", "serve", "--home", str(home.root)]
    with peers.started(command, port) as process:
        yield Target(f"http://127.0.0.1:{port}/dicom-web/studies", peers.family(process.pid), token)


@contextlib.contextmanager
def orthanc(folder: Path) -> Iterator[Target]:
    """Orthanc as packaged, with its DICOMweb plugin."""
    port = peers.free_port()
    settings = {
        "Name": "bench",
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "DicomPort": peers.free_port(),
        "HttpPort": port,
        "RemoteAccessAllowed": False,
        "Plugins": [PLUGIN],
    }
    config = folder / "orthanc.json"
    config.write_text(json.dumps(settings))
    with peers.started(["/usr/sbin/Orthanc", str(config)], port) as process:
        yield Target(f"http://127.0.0.1:{port}/dicom-web/studies", [process.pid])


def cpu_of(target: Target) -> float:
    """Seconds of processor time that its processes have used."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in target.pids]
    return sum(int(item[11]) + int(item[12]) for item in fields) / os.sysconf("SC_CLK_TCK")


def post(target: Target, content: Path, answer: Path) -> float:
    """Seconds that curl needs to send `content`."""
    headers = [
        f'Content-Type: multipart/related; type="application/dicom"; boundary={BOUNDARY}',
        "Accept: application/dicom+json",
        "Expect:",
    ]
    config = "".join(f'header = "{header.replace(chr(34), chr(92) + chr(34))}"\n' for header in headers)
    if target.token:
        config += f'header = "Authorization: Bearer {target.token}"\n'
    command = ["curl", "-sS", "-f", "-K", "-", "-T", str(content), "-X", "POST", "-o", str(answer), target.url]
    before = time.perf_counter()
    subprocess.run(command, input=config.encode(), check=True, timeout=300)
    return time.perf_counter() - before


def main() -> None:
    """Measure, and print images per second of each run, in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=["leadglass", "orthanc"])
    arguments = parser.parse_args()
    systems = {"leadglass": leadglass, "orthanc": orthanc}
    with tempfile.TemporaryDirectory(prefix="leadglass-bench-") as scratch:
        root = Path(scratch)
        content = body(material.ct_files(root / "ct", arguments.images), root / "body")
        for number in range(arguments.runs):
            for name, system in systems.items():
                if arguments.only in (None, name):
                    folder = root / f"{name}{number}"
                    folder.mkdir()
                    with system(folder) as target:
                        before = cpu_of(target)
                        seconds = post(target, content, root / "answer")
                        used = cpu_of(target) - before
                        resident = peers.resident(target.pids) >> 20
                    stored = len(json.loads((root / "answer").read_text()).get("00081199", {}).get("Value", []))
                    rate = arguments.images / seconds
                    told = f"{stored} stored, {used:.1f} s of processor, {resident} MiB resident"
                    print(f"{name}: {rate:.0f} images/s, {told}", flush=True)
                    os.sync()


if __name__ == "__main__":
    main()
