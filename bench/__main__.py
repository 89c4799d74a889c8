"""`python -m bench [--runs N] [--studies N]`: measure, print tables, write bench.json, .svg and .md in bench/out."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import statistics
import tempfile
from pathlib import Path
from typing import Any

import matplotlib as mpl

from bench import find, ingest, retrieve

mpl.use("Agg")
import matplotlib.pyplot as plt  # after the backend is chosen

OUT = Path(__file__).parent / "out"
BARS = {
    "CT, 1 association": 2.5,
    "MR, 1 association": 2.2,
    "CT, 4 associations": 2.5,
    "MR, 4 associations": 2.5,
    "CT, sender as shipped": 25.0,
    "C-GET of 500 CT": 2.0,
    "C-MOVE of 500 CT": 2.0,
}
FIND_RATIO, FIND_P95 = 5.0, 10.0  # requests per second against Orthanc; milliseconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--studies", type=int, default=find.STUDIES, help="How many C-FIND looks among.")
    given = parser.parse_args()
    runs = given.runs
    scratch = Path(tempfile.mkdtemp(prefix="leadglass-material-"))
    figures = {**ingest.run(scratch, runs), **retrieve.run(runs)}
    studies, queries = find.run(runs, given.studies)
    report = {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}",
        "images per second": figures,
        "medians": {case: {name: statistics.median(v) for name, v in row.items()} for case, row in figures.items()},
        "C-FIND": {"studies": studies, "medians": queries},
    }
    OUT.mkdir(exist_ok=True)
    (OUT / "bench.json").write_text(json.dumps(report, indent=2))
    text = table(report) + "\n" + find_table(report["date"], studies, queries)
    (OUT / "bench.md").write_text(text)
    picture(report)
    print(text)


def table(report: dict[str, Any]) -> str:
    """The medians as a Markdown table, with the ratio to Orthanc and its bar."""
    names = list(next(iter(report["medians"].values())))
    lines = [
        f"Images per second, medians, {report['date']}, {report['machine']}.",
        "",
        "| | " + " | ".join(names) + " | against Orthanc | bar |",
        "|---" * (len(names) + 3) + "|",
    ]
    for case, row in report["medians"].items():
        ratio = row["leadglass"] / row["orthanc"] if row.get("orthanc") else float("nan")
        cells = " | ".join(f"{row[name]:.0f}" if name in row else "" for name in names)
        lines.append(f"| {case} | {cells} | {ratio:.1f} x | {BARS.get(case, 0):.1f} x |")
    return "\n".join(lines) + "\n"


def find_table(date: str, studies: int, queries: find.Figures) -> str:
    """C-FIND of one study as a Markdown table: rate and times, each with its own unit and bar."""
    ours, theirs = queries["leadglass"], queries["orthanc"]
    ratio = ours["per second"] / theirs["per second"]
    rows = (
        ("requests per second", "per second", 0, f"{ratio:.1f} x", f"{FIND_RATIO:.1f} x"),
        ("median, ms", "p50", 2, "", ""),
        ("95th percentile, ms", "p95", 2, "", f"under {FIND_P95:.0f} ms"),
    )
    lines = [
        f"C-FIND of a study by Patient ID among {studies:,} studies, one open association, {date}.",
        "",
        "| | leadglass | orthanc | against Orthanc | bar |",
        "|---" * 5 + "|",
    ]
    for name, key, digits, against, bar in rows:
        lines.append(f"| {name} | {ours[key]:.{digits}f} | {theirs[key]:.{digits}f} | {against} | {bar} |")
    return "\n".join(lines) + "\n"


def picture(report: dict[str, Any]) -> None:
    """Bars per case and system."""
    cases = report["medians"]
    figure, axes = plt.subplots(1, len(cases), figsize=(3.2 * len(cases), 3.6))
    for axis, (case, row) in zip(axes, cases.items(), strict=True):
        colours = ["#0b7285" if name == "leadglass" else "#adb5bd" for name in row]
        axis.bar(list(row), list(row.values()), color=colours)
        axis.set_title(case, fontsize=9)
        axis.tick_params(axis="x", rotation=60, labelsize=8)
    axes[0].set_ylabel("images per second")
    figure.tight_layout()
    figure.savefig(OUT / "bench.svg")


if __name__ == "__main__":
    main()
