"""C-FIND: studies by Patient ID, one after the other over one open association, from archives that hold the same.

    python -m bench.find [--studies N]

Orthanc is filled by C-STORE of small objects, one per study, for FILL_SECONDS at most; Leadglass gets the rows of as
many studies straight into its catalog, since only what a query reads is measured. The table says how many they are.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import time
from collections.abc import Iterator

from bench import archive, peers
from leadglass.app.archive import open_archive
from leadglass.app.cli.opening import keys_of
from leadglass.app.config import read_config
from leadglass.core.identity import InstanceIdentity, PatientKey
from leadglass.core.records import HeaderValue, InstanceEntry, Location, RecordTrailer
from leadglass.dicom import uids
from leadglass.dicom.dictionary import tag_of, vr_of
from leadglass.net.proposals import association_request, propose
from leadglass.net.requestor import Requestor, dial
from leadglass.wire.dimse import status

STUDIES, QUERIES, WARM_UP = 100_000, 2000, 20
ROUND_SECONDS = 20.0  # then a round ends with fewer queries
FILL_SECONDS = 330.0
FILLERS = 4
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
ROOT = "1.2.826.0.1.3680043.10.1511.900"
ASKED = ("StudyInstanceUID", "StudyDate", "StudyTime", "AccessionNumber", "PatientName", "StudyDescription")
STRIDE = 7919  # prime: the patients are asked for in no order that a cache likes
Figures = dict[str, dict[str, float]]


def patient_id(number: int) -> str:
    """The Patient ID of a study; each has its own."""
    return f"F{number:07d}"


def values_of(number: int) -> dict[str, str]:
    """The one object of a study."""
    study = f"{ROOT}.{number}"
    return {
        "SOPClassUID": SECONDARY_CAPTURE,
        "SOPInstanceUID": f"{study}.1.1",
        "StudyDate": f"20{number % 24:02d}{number % 12 + 1:02d}{number % 28 + 1:02d}",
        "StudyTime": "101500",
        "AccessionNumber": f"A{number:07d}",
        "Modality": "OT",
        "ReferringPhysicianName": "Referrer^Invented",
        "StudyDescription": "Bench study",
        "PatientName": f"Bench^Patient{number}",
        "PatientID": patient_id(number),
        "PatientBirthDate": "19700101",
        "PatientSex": "O",
        "StudyInstanceUID": study,
        "SeriesInstanceUID": f"{study}.1",
        "StudyID": "1",
        "SeriesNumber": "1",
        "InstanceNumber": "1",
    }


def encoded(values: dict[str, str]) -> bytes:
    """Explicit VR Little Endian; only VRs with short lengths occur."""
    out = bytearray()
    for tag, keyword in sorted((tag_of(keyword), keyword) for keyword in values):
        vr, raw = vr_of(tag), values[keyword].encode("ascii")
        raw += b"" if len(raw) % 2 == 0 else b"\0" if vr == "UI" else b" "
        out += (
            tag.to_bytes(4, "big")[1::-1] + tag.to_bytes(4, "big")[:1:-1] + vr.encode() + len(raw).to_bytes(2, "little")
        )
        out += raw
    return bytes(out)


def entry_of(number: int) -> InstanceEntry:
    """What the catalog keeps of the same object."""
    values = values_of(number)
    header = {tag_of(keyword): HeaderValue(vr_of(tag_of(keyword)), value.encode()) for keyword, value in values.items()}
    identity = InstanceIdentity(
        SECONDARY_CAPTURE,
        values["SOPInstanceUID"],
        values["StudyInstanceUID"],
        values["SeriesInstanceUID"],
        PatientKey("", values["PatientID"]),
    )
    digest = number.to_bytes(32, "big")
    trailer = RecordTrailer(
        identity, uids.EXPLICIT_VR_LE, number, digest, "bench", "BENCH", "127.0.0.1", "", "ISO_IR 100"
    )
    return InstanceEntry(trailer, Location(f"{number // 1000:032x}", number % 1000 * 1024, 1024), b"k" * 16, header)


@contextlib.contextmanager
def filled_leadglass(studies: int) -> Iterator[peers.Running]:
    """An archive with the rows of `studies` in its catalog."""
    with peers.scratch_folder() as folder:
        port = peers.free_port()
        home = archive.make(folder, port)
        config = read_config(home.config)
        with open_archive(home, config, keys_of(home, config)) as opened:
            for first in range(0, studies, 5000):
                opened.catalog.add([entry_of(number) for number in range(first, min(first + 5000, studies))], [])
        command = [sys.executable, "-m", "leadglass.app", "serve", "--home", str(home.root)]
        with peers.started(command, port) as process:
            yield peers.Running("leadglass", port, "LEADGLASS", peers.family(process.pid), folder)


async def _dial(system: peers.Running, sop_class: str) -> Requestor:
    (contexts,) = propose([(sop_class, (uids.EXPLICIT_VR_LE,))])
    return await dial("127.0.0.1", system.port, association_request(system.ae_title, "BENCH", contexts))


async def fill(system: peers.Running, studies: int, seconds: float = FILL_SECONDS) -> int:
    """Send studies 0, 1, 2... over FILLERS associations; how many there are when all were sent or the time is over."""
    numbers = iter(range(studies))
    until = time.monotonic() + seconds
    sent = 0

    async def send() -> None:
        nonlocal sent
        peer = await _dial(system, SECONDARY_CAPTURE)
        context = peer.context_for(SECONDARY_CAPTURE)
        while time.monotonic() < until and (number := next(numbers, None)) is not None:
            values = values_of(number)
            answer = await peer.store(context, values["SOPInstanceUID"], encoded(values))
            if answer.status != status.SUCCESS:
                raise RuntimeError(f"{system.name} answered {answer.status:#06x}")
            sent += 1
        await peer.release()

    await asyncio.gather(*(send() for _ in range(FILLERS)))
    return sent


async def ask(system: peers.Running, studies: int, queries: int = QUERIES) -> dict[str, float]:
    """Milliseconds (median, 95th percentile) and requests per second; each query must find its one study.

    A round has `queries` of them, or as many as ROUND_SECONDS allow.
    """
    peer = await _dial(system, uids.STUDY_ROOT_FIND)
    context = peer.context_for(uids.STUDY_ROOT_FIND)
    taken = []
    until = time.monotonic() + ROUND_SECONDS
    for turn in range(WARM_UP + queries):
        if turn >= 2 * WARM_UP and time.monotonic() > until:
            break
        wanted = patient_id(turn * STRIDE % studies)
        keys = dict.fromkeys(ASKED, "") | {"QueryRetrieveLevel": "STUDY", "PatientID": wanted}
        identifier = encoded(keys)
        started = time.perf_counter()
        answers = [answer async for answer in peer.find(context, identifier)]
        taken.append(1000 * (time.perf_counter() - started))
        found = [answer.data for answer in answers if answer.data is not None]
        if answers[-1].status != status.SUCCESS or len(found) != 1 or wanted.encode() not in found[0]:
            raise RuntimeError(f"{system.name} did not find the study of {wanted}")
    await peer.release()
    taken = taken[WARM_UP:]
    return {
        "p50": statistics.median(taken),
        "p95": statistics.quantiles(taken, n=20)[-1],
        "per second": 1000 * len(taken) / sum(taken),
    }


def run(runs: int, studies: int = STUDIES) -> tuple[int, Figures]:
    """How many studies both hold, and system -> medians over `runs` rounds, in which the systems take turns."""
    with contextlib.ExitStack() as stack:
        other = stack.enter_context(peers.orthanc())
        studies = asyncio.run(fill(other, studies))
        print(f"C-FIND: both archives get {studies} studies", flush=True)
        systems = [stack.enter_context(filled_leadglass(studies)), other]
        rounds: dict[str, list[dict[str, float]]] = {system.name: [] for system in systems}
        for _ in range(runs):
            for system in systems:
                rounds[system.name].append(asyncio.run(ask(system, studies)))
    figures = {
        name: {what: statistics.median(found[what] for found in each) for what in each[0]}
        for name, each in rounds.items()
    }
    for name, found in figures.items():
        print(
            f"C-FIND among {studies} studies, {name}: " + ", ".join(f"{k} {v:.2f}" for k, v in found.items()),
            flush=True,
        )
    return studies, figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--studies", type=int, default=STUDIES)
    given = parser.parse_args()
    studies, figures = run(given.runs, given.studies)
    print(json.dumps({"studies": studies, "C-FIND": figures}, indent=2))


if __name__ == "__main__":
    main()
