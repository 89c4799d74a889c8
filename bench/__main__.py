"""`python -m bench [--runs N] [--only SECTION ...] [--readme]`: measure side by side, print, write bench/out.

Sections: ingest, retrieve, find, scale, memory, web, viewer, people, scan, million, path. With --readme the README's
section on speed is written too.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench import catalog_scale, find, hot_path, ingest, memory, people, report, retrieve, scan, viewer, web
from bench.report import Row

AGAINST_ORTHANC = {
    "CT, 1 association": 2.5,
    "MR, 1 association": 2.2,
    "CT, 4 associations": 2.5,
    "MR, 4 associations": 2.5,
    "CT, sender as shipped": 25.0,
    "C-GET of 500 CT": 2.0,
    "C-MOVE of 500 CT": 2.0,
}


def _ingest(runs: int) -> list[Row]:
    figures = ingest.run(Path(tempfile.mkdtemp(prefix="leadglass-material-")), runs)
    rows = [Row(case, "images/s", found, AGAINST_ORTHANC[case]) for case, found in figures.items()]
    case = "CT, 1 association"
    two = {name: figures[case][name] for name in ("leadglass", "storescp")}
    return [*rows, Row(f"{case} (storescp: no index, no sync)", "images/s", two, 0.8, "storescp")]


def _retrieve(runs: int) -> list[Row]:
    return [Row(case, "images/s", found, AGAINST_ORTHANC[case]) for case, found in retrieve.run(runs).items()]


def _find(runs: int) -> list[Row]:
    studies, figures = find.run(runs)
    case = f"C-FIND study by Patient ID, {studies:,} studies"
    rates = {name: [found["per second"]] for name, found in figures.items()}
    slowest = {name: [found["p95"]] for name, found in figures.items()}
    return [
        Row(case, "requests/s", rates, 5.0),
        Row(f"{case}, 95th percentile", "ms", slowest, 10.0, "", less_is_better=True),
    ]


def _scale(runs: int) -> list[Row]:
    found = catalog_scale.run()
    added = {"leadglass": [1e6 / found["add_full_cpu_us"]], "empty": [1e6 / found["add_empty_cpu_us"]]}
    return [
        Row("adding to the catalog with 1,000,000 instances (processor time)", "instances/s", added, 0.9, "empty"),
        Row("study by Patient ID in that catalog, 95th percentile", "ms", {"leadglass": [found["find_p95_ms"]]}),
    ]


SECTIONS: dict[str, Callable[[int], list[Row]]] = {
    "ingest": _ingest,
    "retrieve": _retrieve,
    "find": _find,
    "scale": _scale,
    "memory": lambda runs: memory.run(),
    "web": web.run,
    "viewer": viewer.run,
    "people": people.run,
    "scan": scan.run,
    "million": lambda runs: web.million(),
}


# What the README shows together; a block is written when all of it was measured.
BLOCKS = {
    "archive": ("ingest", "retrieve", "find", "scale", "memory", "path"),
    "web": ("web", "million"),
    "people": ("viewer", "people"),
    "audit": ("scan",),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=[*SECTIONS, "path"], default=[*SECTIONS, "path"])
    parser.add_argument("--readme", action="store_true", help="write the README's section too")
    given = parser.parse_args()
    rows = {name: SECTIONS[name](given.runs) for name in given.only if name in SECTIONS}
    appendix = ""
    if "path" in given.only:
        appendix = "Where the time of one store goes, one association:\n\n" + hot_path.text(hot_path.run())
    for block, sections in BLOCKS.items():
        if given.readme and set(sections) <= set(given.only):
            shown = [row for name in sections for row in rows.get(name, [])]
            report.into_readme(block, shown, appendix if "path" in sections else "")
    print(report.write([row for found in rows.values() for row in found], appendix))


if __name__ == "__main__":
    main()
