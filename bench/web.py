"""DICOMweb side by side with Orthanc and its plugin, which hold the same: `python -m bench.web [--runs N]`.

Both are filled by STOW-RS; the rows of some thousand studies for searches go to Orthanc by C-STORE and to Leadglass
straight into its catalog. Then the systems take turns, wrk asking over 8 connections. Leadglass is encrypted and asks
for a token; Orthanc is as packaged, in clear and open. Answers are looked at, so that no error page counts.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import gzip
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import imagecodecs

from bench import find, material, peers, report, stow, web_peers
from bench.report import Row
from bench.web_peers import Target
from bench.wrk import Load, Session, fetch, load
from leadglass.app.archive import Archive

STUDIES, FILL_SECONDS = 5_000, 60.0
MILLION = 1_000_000
IMAGES, INSTANCES = 500, 1000
CT_ROOT, MR_ROOT = 700, 710
SECONDS = 4  # of load per turn
JSON = "Accept: application/dicom+json"
ENCODINGS = "Accept-Encoding: gzip, deflate, br"  # as browsers send it
OCTETS = 'Accept: multipart/related; type="application/octet-stream"'
JPEG = "Accept: image/jpeg"
FRAME = 512 * 512 * 2
AS_STORED = 'Accept: multipart/related; type="application/dicom"; transfer-syntax=*'
Figures = dict[str, list[float]]


def main() -> None:
    """Measure and print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--million", action="store_true", help="measure the search among a million studies alone")
    given = parser.parse_args()
    print(report.table(million() if given.million else run(given.runs)))


def run(runs: int) -> list[Row]:
    """All rows that compare, and the memory of the web workers meanwhile."""
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leadglass-bench-")))
        other = stack.enter_context(web_peers.orthanc(_folder(scratch, "orthanc")))
        studies = asyncio.run(find.fill(_dicom_side(other), STUDIES, FILL_SECONDS))
        put = functools.partial(put_rows, studies=studies)
        systems = [stack.enter_context(web_peers.leadglass(_folder(scratch, "leadglass"), put)), other]
        store(systems, scratch, runs)
        turns = Turns(systems, studies)
        for number in range(runs):
            turns.once(number)
    return [*turns.rows(), Row("STOW of 500 CT", "images/s", stow.run(runs), 3.0)]


def million() -> list[Row]:
    """A search among a million studies, Leadglass alone: nobody waits until Orthanc holds as many."""
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leadglass-bench-")))
        put = functools.partial(put_rows, studies=MILLION)
        target = stack.enter_context(web_peers.leadglass(scratch, put))
        found = [search(target, MILLION) for _ in range(3)]
        check_search(target, MILLION)
    case = f"QIDO study by Patient ID, {MILLION:,} studies, 95th percentile"
    return [Row(case, "ms", {"leadglass": [one.p95 for one in found]}, 20.0, "", less_is_better=True)]


class Turns:
    """Rounds in which each case is asked of each system, one after the other."""

    def __init__(self, systems: list[Target], studies: int) -> None:
        self._systems = systems
        self._studies = studies
        self._figures: dict[str, Figures] = {}
        self._frames = [
            f"{material.series_path(CT_ROOT)}/instances/{material.PREFIX}.{CT_ROOT}.1.1.{number + 1}/frames/1"
            for number in range(IMAGES)
        ]
        self._memory: list[list[int]] = []

    def once(self, number: int) -> None:
        """One round."""
        series = material.series_path(MR_ROOT + number) + "/metadata"
        self._each("search", lambda target: search(target, self._studies).rate)
        self._each("first", functools.partial(metadata_time, path=series, times=1))
        self._each("later", functools.partial(metadata_time, path=series, times=20))
        self._each("frame", lambda target: self._frames_of(target, target.base).rate)
        self._each("frame, TLS", lambda target: self._frames_of(target, target.tls_base).rate)
        self._each("rendered", lambda target: self._rendered(target, number).rate)
        self._each("rendered before", lambda target: self._rendered_before(target).rate)
        self._each("study", study_rate)
        mine = self._systems[0]
        self._memory.append([peers.resident([pid]) for pid in web_peers.web_workers(mine)])

    def _each(self, what: str, measure: Callable[[Target], float]) -> None:
        for target in self._systems:
            if what.endswith("TLS") and not target.tls_base:
                continue
            used, began = web_peers.cpu_of(target), time.monotonic()
            found = measure(target)
            cores = (web_peers.cpu_of(target) - used) / (time.monotonic() - began)
            self._figures.setdefault(what, {}).setdefault(target.name, []).append(found)
            print(f"{what}, {target.name}: {found:.1f} (with {cores:.1f} processors)", flush=True)

    def _frames_of(self, target: Target, base: str) -> Load:
        for number in range(0, IMAGES, IMAGES // 5):
            if material.pixels(number) not in fetch(base, self._frames[number], target.headers(OCTETS)):
                raise RuntimeError(f"{target.name} gave another frame")
        return load(base, self._frames, target.headers(OCTETS), SECONDS, FRAME)

    def _rendered(self, target: Target, number: int) -> Load:
        """Pictures that nobody has asked for: each has a window of its own."""
        wide = 400 + 100 * number
        asked = [f"{frame}/rendered?window=40,{wide + turn},linear" for turn in range(20) for frame in self._frames]
        check_picture(target, asked[-1])
        return load(target.base, asked, target.headers(JPEG), SECONDS, 10_000)

    def _rendered_before(self, target: Target) -> Load:
        """Pictures that were asked for before."""
        asked = [f"{frame}/rendered" for frame in self._frames[:20]]
        check_picture(target, asked[0])
        load(target.base, asked, target.headers(JPEG), 1, 10_000)
        return load(target.base, asked, target.headers(JPEG), SECONDS, 10_000)

    def rows(self) -> list[Row]:
        """What the rounds gave."""
        found = self._figures
        metadata = f"metadata of a series of {INSTANCES:,} instances"
        mine = {what: {"leadglass": found[what]["leadglass"]} for what in ("first", "later")}
        largest = [max(sizes) / 1e6 for sizes in self._memory]
        early = {"leadglass": largest[-1:], "first round": largest[:1]}
        return [
            Row(f"QIDO study by Patient ID, {self._studies:,} studies", "requests/s", found["search"], 2.5),
            Row(f"{metadata}, first time", "ms", mine["first"], 400.0, "", less_is_better=True),
            Row(f"{metadata}, later", "ms", mine["later"], 20.0, "", less_is_better=True),
            Row(f"{metadata}, first time, compared", "ms", found["first"], 20.0, less_is_better=True),
            Row(f"{metadata}, later, compared", "ms", found["later"], 20.0, less_is_better=True),
            Row("one frame of 512 kB", "requests/s", found["frame"], 1.5),
            Row("one frame of 512 kB, TLS", "requests/s", found["frame, TLS"]),
            Row("rendered frame, 512x512", "requests/s", found["rendered"], 1.5),
            Row("rendered frame, 512x512, asked for before", "requests/s", found["rendered before"], 10.0),
            Row("whole study of 262 MB", "MB/s", found["study"], 1.0),
            Row(
                "memory of the largest web worker", "MB", {"leadglass": [max(largest)]}, 250.0, "", less_is_better=True
            ),
            Row("memory of the largest web worker, last round against first", "MB", early),
        ]


def put_rows(archive: Archive, studies: int) -> None:
    """The rows of as many studies into the catalog."""
    for first in range(0, studies, 5000):
        archive.catalog.add([find.entry_of(number) for number in range(first, min(first + 5000, studies))], [])


def store(systems: list[Target], scratch: Path, series: int) -> None:
    """A study of IMAGES CT, and as many series of INSTANCES MR as there are rounds, into each system."""
    bodies = [
        (stow.body(material.ct_files(scratch / "ct", IMAGES, CT_ROOT, one_series=True), scratch / "ct.body"), IMAGES)
    ]
    for number in range(series):
        files = material.mr_files(scratch / f"mr{number}", INSTANCES, MR_ROOT + number, one_series=True)
        bodies.append((stow.body(files, scratch / f"mr{number}.body"), INSTANCES))
    for target in systems:
        for content, images in bodies:
            stow.post(target, content, scratch / "answer", images)


def search(target: Target, studies: int) -> Load:
    """Searches for a study by its Patient ID."""
    check_search(target, studies)
    asked = [f"/studies?PatientID={find.patient_id(turn * find.STRIDE % studies)}" for turn in range(5000)]
    return load(target.base, asked, target.headers(JSON), SECONDS, 300)


def check_search(target: Target, studies: int) -> None:
    """RuntimeError unless some searches find just the study that they should."""
    for turn in range(0, 5000, 500):
        wanted = find.patient_id(turn * find.STRIDE % studies)
        found = json.loads(fetch(target.base, f"/studies?PatientID={wanted}", target.headers(JSON)))
        if [one["00100020"]["Value"] for one in found] != [[wanted]]:
            raise RuntimeError(f"{target.name} did not find the study of {wanted}")


def metadata_time(target: Target, path: str, times: int) -> float:
    """Milliseconds until the metadata of a series are there, as they come; the median of `times`."""
    session = Session(target.base, target.headers(JSON, ENCODINGS))
    taken = []
    for _ in range(times):
        before = time.perf_counter()
        body = session.get(path)
        taken.append(1000 * (time.perf_counter() - before))
        plain = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        if len(json.loads(plain)) != INSTANCES:
            raise RuntimeError(f"{target.name} told other instances of {path}")
    session.close()
    return statistics.median(taken)


def check_picture(target: Target, path: str) -> None:
    """RuntimeError unless it is a picture of 512x512 that shows something."""
    picture = imagecodecs.jpeg_decode(fetch(target.base, path, target.headers(JPEG)))
    if picture.shape[:2] != (512, 512) or picture.std() < 10:
        raise RuntimeError(f"{target.name} rendered {path} as {picture.shape}")


def study_rate(target: Target) -> float:
    """MB/s at which curl gets the study of IMAGES CT as it is stored."""
    url = f"{target.base}{material.series_path(CT_ROOT).partition('/series')[0]}"
    config = "".join(f'header = "{line.replace(chr(34), chr(92) + chr(34))}"\n' for line in target.headers(AS_STORED))
    told = "%{http_code} %{size_download} %{time_total}"
    command = ["curl", "-sS", "-f", "-K", "-", "-o", "/dev/null", "-w", told, url]
    printed = subprocess.run(command, input=config.encode(), check=True, capture_output=True, timeout=300).stdout
    code, size, seconds = printed.split()
    if code != b"200" or int(size) < IMAGES * FRAME:
        raise RuntimeError(f"{target.name} gave {size!r} bytes of the study")
    return int(size) / 1e6 / float(seconds)


def _dicom_side(target: Target) -> peers.Running:
    return peers.Running(target.name, target.dicom_port, target.ae_title, target.pids, Path())


def _folder(scratch: Path, name: str) -> Path:
    folder = scratch / name
    folder.mkdir()
    return folder


if __name__ == "__main__":
    main()
