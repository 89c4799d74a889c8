"""How the catalog's rate of adding holds up: an empty one against one with many instances, and C-FIND beside it.

    python bench/catalog_scale.py [instances, default 1000000] [studies, default 100000]

The filling goes in large transactions; measured is one entry per transaction, as a single sender causes it, on the
full catalog and on an empty one in turns, so that whatever else the machine does weighs on both. Prints microseconds
per add (median of blocks), the rate kept (from the processor's time), and percentiles of a study query by Patient ID.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from leadglass.core.attributes import Attribute
from leadglass.core.identity import InstanceIdentity, PatientKey
from leadglass.core.query import Level, Query
from leadglass.core.records import HeaderValue, InstanceEntry, Location, RecordTrailer, ReplayMark
from leadglass.dicom.dictionary import tag_of, vr_of
from leadglass.index.catalog import SqliteCatalog

RECORD = 525_000
PER_SEGMENT = 250
ROUNDS, BLOCK = 30, 200
COMMON = {
    "SpecificCharacterSet": "ISO_IR 100",
    "ImageType": "ORIGINAL\\PRIMARY\\AXIAL ",
    "StudyDate": "20240102",
    "StudyTime": "101112",
    "AcquisitionDate": "20240102",
    "AcquisitionTime": "101112.123456 ",
    "ContentDate": "20240102",
    "ContentTime": "101112.123456 ",
    "Modality": "CT",
    "StudyDescription": "CT THORAX ",
    "SeriesDescription": "Axial 1.0 ",
    "PatientBirthDate": "19700101",
    "PatientSex": "F ",
    "ImageOrientationPatient": "1\\0\\0\\0\\1\\0 ",
    "PixelSpacing": "0.6640625\\0.6640625 ",
    "SliceThickness": "1.0 ",
    "WindowCenter": "40",
    "WindowWidth": "400 ",
    "KVP": "120 ",
    "RescaleIntercept": "-1024 ",
    "RescaleSlope": "1 ",
    "PhotometricInterpretation": "MONOCHROME2 ",
    "Rows": "\0\2",
    "Columns": "\0\2",
    "BitsAllocated": "\x10\0",
    "BitsStored": "\x0c\0",
    "PixelRepresentation": "\0\0",
}


def header(**values: str) -> dict[int, HeaderValue]:
    return {tag_of(key): HeaderValue(vr_of(tag_of(key)), value.encode()) for key, value in values.items()}


COMMON_HEADER = header(**COMMON)


def entries(study_number: int, count: int, first: int, *, random_uids: bool = False) -> Iterator[InstanceEntry]:
    """`count` slices of one study in one series; `first` is the running number of the first in the archive."""
    patient = f"P{study_number:07d}"
    study = f"1.2.826.0.1.3680043.10.999.{study_number}"
    series = f"{study}.1"
    own = COMMON_HEADER | header(PatientName=f"Patient{study_number}^Test", PatientID=patient, AccessionNumber=patient)
    for number in range(count):
        running = first + number
        uid = f"2.25.{uuid.uuid4().int}" if random_uids else f"{series}.{running}"
        place = header(
            InstanceNumber=str(number + 1), ImagePositionPatient=f"-170\\-170\\{number}.25", SliceLocation="1"
        )
        trailer = RecordTrailer(
            InstanceIdentity("1.2.840.10008.5.1.4.1.1.2", uid, study, series, PatientKey("", patient)),
            "1.2.840.10008.1.2.1",
            running,
            running.to_bytes(32, "big"),
            "bench",
            "BENCH",
            "127.0.0.1",
            "",
            "ISO_IR 100",
        )
        location = Location(f"{running // PER_SEGMENT:032x}", running % PER_SEGMENT * RECORD, RECORD)
        yield InstanceEntry(trailer, location, b"k" * 16, own | place)


def mark(entry: InstanceEntry) -> ReplayMark:
    return ReplayMark(entry.location.segment, entry.location.offset + RECORD)


def measure(catalog: SqliteCatalog, study_number: int, first: int, *, random_uids: bool) -> tuple[float, float]:
    """Microseconds that one add to a known series takes in its own transaction: by the clock, by the processor."""
    prepared = list(entries(study_number, BLOCK + 1, first, random_uids=random_uids))
    catalog.add(prepared[:1], [])
    clock, processor = time.perf_counter(), time.process_time()
    for entry in prepared[1:]:
        catalog.add((entry,), (mark(entry),))
    return (time.perf_counter() - clock) / BLOCK * 1e6, (time.process_time() - processor) / BLOCK * 1e6


def compare(empty: SqliteCatalog, full: SqliteCatalog, instances: int, studies: int) -> dict[str, float]:
    """Medians of `measure` over rounds in which both catalogs take turns."""
    taken: dict[str, list[tuple[float, float]]] = {}
    for number in range(1, ROUNDS + 1):
        for kind, random_uids in (("", False), ("random_uid_", True)):
            study = studies + 2 * number + random_uids
            for name, catalog in (("empty", empty), ("full", full)):
                found = measure(catalog, study, instances + BLOCK * 2 * study, random_uids=random_uids)
                taken.setdefault(f"{kind}add_{name}", []).append(found)
    result = {}
    for name, found in taken.items():
        result[f"{name}_us"] = statistics.median(clock for clock, _ in found)
        result[f"{name}_cpu_us"] = statistics.median(processor for _, processor in found)
    return result


def fill(catalog: SqliteCatalog, instances: int, studies: int) -> None:
    each = max(1, instances // studies)
    batch: list[InstanceEntry] = []
    for study in range(studies):
        batch += entries(study, each, study * each)
        if len(batch) >= 5000:
            catalog.add(batch, [])
            batch.clear()
    catalog.add(batch, [])


def query_times(catalog: SqliteCatalog, studies: int) -> list[float]:
    asked = [
        "StudyInstanceUID",
        "StudyDate",
        "StudyTime",
        "PatientName",
        "AccessionNumber",
        "NumberOfStudyRelatedInstances",
    ]
    keys = {tag_of(keyword): Attribute(vr_of(tag_of(keyword))) for keyword in asked}
    times = []
    for number in range(0, studies, max(1, studies // 1000)):
        keys[tag_of("PatientID")] = Attribute("LO", (f"P{number * 7919 % studies:07d}",))
        before = time.perf_counter()
        page = catalog.find(Query(Level.STUDY, dict(sorted(keys.items()))))
        times.append((time.perf_counter() - before) * 1e3)
        if len(page.matches) != 1:
            raise SystemExit("a query did not find its study")
    return sorted(times)


def run(instances: int = 1_000_000, studies: int = 100_000) -> dict[str, float]:
    """Everything that the module measures."""
    with tempfile.TemporaryDirectory() as folder:
        full = SqliteCatalog(Path(folder) / "full.db", bytes(32))
        empty = SqliteCatalog(Path(folder) / "empty.db", bytes(32))
        result: dict[str, float] = {"instances": instances, "studies": studies}
        before = time.perf_counter()
        fill(full, instances, studies)
        result["fill_us"] = (time.perf_counter() - before) / instances * 1e6
        result |= compare(empty, full, instances, studies)
        for kind in ("", "random_uid_"):
            result[f"{kind}rate_kept"] = result[f"{kind}add_empty_cpu_us"] / result[f"{kind}add_full_cpu_us"]
        times = query_times(full, studies)
        result |= {"find_p50_ms": times[len(times) // 2], "find_p95_ms": times[len(times) * 95 // 100]}
        result["file_mib"] = (Path(folder) / "full.db").stat().st_size / 2**20
        full.close()
        empty.close()
    return result


def main() -> None:
    instances = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    studies = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    print(json.dumps({name: round(value, 3) for name, value in run(instances, studies).items()}, indent=2))


if __name__ == "__main__":
    main()
