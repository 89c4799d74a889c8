"""What was measured, as rows: printed and written as a table (Markdown), figures (JSON) and a picture (SVG)."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import re
import statistics
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt  # after the backend is chosen

OUT = Path(__file__).parent / "out"
README = Path(__file__).parents[1] / "README.md"


@dataclass(frozen=True)
class Row:
    """One thing measured. `figures` holds the runs of each system; `bar` is what the ratio or figure should reach.

    Without `against` the median of "leadglass" itself is held to the bar. `less_is_better` turns the ratio round.
    """

    case: str
    unit: str
    figures: dict[str, list[float]]
    bar: float | None = None
    against: str = "orthanc"
    less_is_better: bool = False

    def median(self, system: str) -> float:
        """The median of a system's runs."""
        return statistics.median(self.figures[system])

    @property
    def reached(self) -> float | None:
        """What is compared with the bar: the ratio to the peer, or the figure itself where there is none."""
        if not self.against:
            return self.median("leadglass")
        if self.against not in self.figures:
            return None
        mine, theirs = self.median("leadglass"), self.median(self.against)
        return theirs / mine if self.less_is_better else mine / theirs

    @property
    def met(self) -> bool | None:
        """Whether the bar is met; None without one."""
        if self.bar is None or self.reached is None:
            return None
        return self.reached <= self.bar if not self.against and self.less_is_better else self.reached >= self.bar

    def cells(self) -> tuple[str, str, str]:
        """Medians, what was reached, and the bar, as a table shows them."""
        medians = ", ".join(f"{name} {_number(self.median(name))}" for name in self.figures)
        if self.bar is None or self.reached is None:
            return medians, "", ""
        sign = "at most " if not self.against and self.less_is_better else ""
        ending = f" {self.unit}" if not self.against else f" x {self.against}"
        verdict = "" if self.met else " (missed)"
        return medians, f"{_number(self.reached)}{ending}{verdict}", f"{sign}{_number(self.bar)}{ending}"


def write(rows: Sequence[Row], appendix: str = "") -> str:
    """Write bench/out/bench.{json,md,svg}; the text."""
    OUT.mkdir(exist_ok=True)
    when, machine = _when_and_where()
    plain = [{"case": row.case, "unit": row.unit, "runs": row.figures, "bar": row.bar, "met": row.met} for row in rows]
    (OUT / "bench.json").write_text(json.dumps({"date": when, "machine": machine, "rows": plain}, indent=2))
    text = _text(rows, appendix)
    (OUT / "bench.md").write_text(text)
    picture(rows)
    return text


def into_readme(block: str, rows: Sequence[Row], appendix: str = "") -> None:
    """Put rows into the README between `<!-- bench BLOCK -->` and `<!-- /bench BLOCK -->`."""
    text = _text(rows, appendix)
    old = README.read_text("utf-8")
    pattern = rf"(?s)(<!-- bench {block} -->\n).*(<!-- /bench {block} -->)"
    README.write_text(re.sub(pattern, lambda found: f"{found[1]}{text}{found[2]}", old), "utf-8")


def _when_and_where() -> tuple[str, str]:
    when = dt.datetime.now(dt.UTC).date().isoformat()
    where = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return when, where


def _text(rows: Sequence[Row], appendix: str) -> str:
    when, machine = _when_and_where()
    text = f"Medians of `make bench`, {when}, {machine}; all systems in one run, taking turns.\n\n{table(rows)}"
    return f"{text}\n{appendix}" if appendix else text


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown."""
    lines = ["| | unit | medians | reached | bar |", "|---|---|---|---|---|"]
    for row in rows:
        medians, reached, bar = row.cells()
        lines.append(f"| {row.case} | {row.unit} | {medians} | {reached} | {bar} |")
    return "\n".join(lines) + "\n"


def picture(rows: Sequence[Row]) -> None:
    """A panel per row with more than one system."""
    shown = [row for row in rows if len(row.figures) > 1]
    columns = min(4, len(shown)) or 1
    lines = -(-len(shown) // columns) or 1
    figure, axes = plt.subplots(lines, columns, figsize=(3.4 * columns, 3.2 * lines), squeeze=False)
    for axis in axes.flat[len(shown) :]:
        axis.axis("off")
    for axis, row in zip(axes.flat, shown, strict=False):
        names = list(row.figures)
        axis.bar(names, [row.median(name) for name in names], color=[_colour(name) for name in names])
        axis.set_title(textwrap.fill(row.case, 34), fontsize=9)
        axis.set_ylabel(row.unit, fontsize=8)
        axis.tick_params(axis="x", rotation=45, labelsize=8)
        axis.tick_params(axis="y", labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(OUT / "bench.svg")
    figure.savefig(OUT / "bench.png", dpi=110)
    plt.close(figure)


def _colour(name: str) -> str:
    return "#0b7285" if name == "leadglass" else "#adb5bd"


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
